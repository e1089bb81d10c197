"""Results as the Markdown tables of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Column = tuple[str, Callable[[Mapping[str, Any]], str]]
Cells = tuple[list[str], list[list[str]]]
SHARED = 5.0  # percent of the CPU time from which on the machine was not ours alone


def _number(key: str, digits: int = 0, times: float = 1.0) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: f"{row[key] * times:,.{digits}f}"


def _three(row: Mapping[str, Any], name: str = "") -> str:
    return " / ".join(f"{row[name + k]:,.0f}" for k in ("p50_us", "p99_us", "p999_us"))


def _thirds(row: Mapping[str, Any], name: str) -> str:
    keys = [f"{name}_{k}" for k in ("p50", "p99", "p999")]
    return " / ".join(f"{row[k]:,.0f}" for k in keys) if keys[0] in row else ""


_WHO: list[Column] = [("block [ms]", lambda r: f"{r['block_ms']:g}"), ("", lambda r: r["who"])]
_BESIDE: list[Column] = [
    ("block, p50 / p99 / p99.9 [us]", _three),
    ("CPU, times ours", _number("times_ours", 1)),
    ("does not do", lambda r: r["lacks"]),
]
IMPLANT: list[Column] = [
    *_WHO,
    ("ns a sample", _number("ns_per_sample", 2)),
    ("real-time factor", _number("real_time", 1)),
    ("channels a core", _number("channels_per_core")),
    ("of the limit [%]", _number("of_limit", 1, 100)),
    *_BESIDE,
]
EEG: list[Column] = [
    *_WHO,
    ("of a core [%]", _number("core_percent", 2)),
    ("real-time factor", _number("real_time")),
    ("with a decision [us]", _number("decide_us")),
    *_BESIDE,
]
RING: list[Column] = [
    ("block [ms]", lambda r: f"{r['block_ms']:g}"),
    ("between", lambda r: r["between"]),
    ("by", lambda r: r["who"]),
    ("sent to received, p50 / p99 / p99.9 [us]", _three),
    ("CPU to send [us]", _number("cpu_sends")),
    ("CPU to receive [us]", _number("cpu_receives")),
    ("as fast as it goes [GB/s]", _number("gbytes", 2)),
    ("p50 / p99, times ours", lambda r: f"{r['times_ours_p50']:.1f} / {r['times_ours_p99']:.1f}"),
    ("lost", _number("lost")),
]
RECORD: list[Column] = [
    *_WHO,
    ("as fast as it goes [MB/s]", _number("mbytes")),
    ("of a core at 30 kHz [%]", _number("core_percent", 1)),
    ("times smaller", _number("ratio", 2)),
    ("a block, p50 / p99 / p99.9 [us]", _three),
    ("to close [ms]", _number("closing_ms")),
]
CLEAN: list[Column] = [
    *_WHO,
    ("of a core [%]", _number("core_percent", 2)),
    ("ns a sample", _number("ns_per_sample", 1)),
    ("block, p50 / p99 / p99.9 [us]", _three),
    ("delay [s]", _number("delay_s", 2)),
    ("settles in [s]", _number("settle_s", 1)),
]
FLICKER: list[Column] = [
    ("", lambda r: r["who"]),
    ("a decision, p50 / p99 / p99.9 [us]", _three),
    ("CPU, times ours", _number("times_ours", 1)),
]
RUNNING: list[Column] = [
    ("channels", _number("channels")),
    *_WHO,
    ("arrived to done, p50 / p99 / p99.9 [us]", _three),
    ("arrived to decided [us]", lambda r: _three(r, "decided_") if "decided_p50_us" in r else ""),
    ("of a core [%]", _number("core_percent", 1)),
    ("its source [%]", lambda r: f"{r['source_percent']:.1f}" if "source_percent" in r else "within"),
    ("blocks", _number("blocks")),
    ("lost", _number("lost")),
    ("source behind at the end [ms]", _number("behind_ms", 1)),
    ("due to done [us]", lambda r: _three(r, "due_")),
    ("its p99, times ours", _number("times_ours_p99", 1)),
    ("does", lambda r: r["does"]),
]
BESIDE_C: list[Column] = [
    *_WHO,
    ("ns a sample", _number("ns_per_sample", 3)),
    ("of the limit [%]", _number("of_limit", 1, 100)),
    ("block, p50 / p99 / p99.9 [us]", _three),
    ("CPU, times C", _number("times_c", 2)),
]
GROWTH: list[Column] = [
    ("", lambda r: r["what"]),
    ("fastest [ns a sample]", _number("least", 2)),
    ("at", _number("least_at")),
    ("at the smallest", lambda r: f"{r['first']:.2f} ({r['first_at']:,})"),
    ("at the largest", lambda r: f"{r['last']:.2f} ({r['last_at']:,})"),
]
SESSION: list[Column] = [
    ("", lambda r: r["session"]),
    ("arrived to done, p50 / p99 / p99.9 [us]", lambda r: _thirds(r, "done")),
    ("arrived to command [us]", lambda r: _thirds(r, "command")),
    ("age of its input [us]", lambda r: _thirds(r, "age")),
    ("of a core [%]", _number("percent", 1)),
    ("blocks", _number("blocks")),
    ("lost", _number("lost")),
    ("behind at the end [ms]", lambda r: f"{r['behind_ms']:,.1f}" if "behind_ms" in r else ""),
    ("done, p50 / p99, times ours", lambda r: f"{r['times_ours_p50']:.1f} / {r['times_ours_p99']:.1f}"),
    ("recorder, of a core [%]", lambda r: f"{r['recorder_percent']:.1f}" if "recorder_percent" in r else ""),
    ("times smaller", lambda r: f"{r['ratio']:.2f}" if "ratio" in r else ""),
]
KINDS = {
    "c": BESIDE_C,
    "clean": CLEAN,
    "growth": GROWTH,
    "implant": IMPLANT,
    "eeg": EEG,
    "fbcca": FLICKER,
    "record": RECORD,
    "ring": RING,
    "running": RUNNING,
    "session": SESSION,
}
CORES: list[Column] = [
    ("channels", _number("channels")),
    ("block [ms]", _number("block_ms")),
    ("one core, a block [us]", _number("one_us", 1)),
    ("several [us]", _number("more_us", 1)),
    ("cores", _number("cores")),
    ("times as fast", _number("scaling", 2)),
    ("real-time factor", _number("real_time", 1)),
]
PROFILE: list[Column] = [
    ("block [ms]", lambda r: f"{r['block_ms']:g}"),
    ("part", lambda r: r["part"].replace("  ", "- ")),
    ("median [us]", _number("median_us", 1)),
    ("mean [us]", _number("mean_us", 1)),
    ("without samples [us]", _number("empty_us", 1)),
]
# what a benchmark may have found beside its rows
MORE: list[tuple[str, str, list[Column]]] = [
    ("cores", "The features on one core and on several, by wall time:", CORES),
    ("profile", "Where our time goes:", PROFILE),
]


def markdown(found: Mapping[str, Any]) -> str:
    """Return what one benchmark found as tables and notes."""
    (first, *more), said = tables(found), sentences(found)
    parts = [_table(*first), "\n".join(f"- {s}" for s in said[:-1])]
    for title, table in zip([title for key, title, _ in MORE if key in found], more, strict=True):
        parts += [title, _table(*table)]
    return "\n\n".join([p for p in parts if p] + [said[-1]]) + "\n"


def tables(found: Mapping[str, Any]) -> list[Cells]:
    """Return heads and cells of the tables: who is how fast, then what else was measured."""
    more = [_cells(columns, found[key]) for key, _, columns in MORE if key in found]
    return [_cells(KINDS[_kind(found)], found["rows"]), *more]


def sentences(found: Mapping[str, Any]) -> list[str]:
    """Return what else there is to say; the circumstances last."""
    kind = _kind(found)
    said = [_agreement(found["checks"])] if found.get("checks") else []
    if kind == "implant":
        k = found["limits"]
        said += [
            f"Limit: {k['fma_gflops']:.0f} GFLOP/s of fused multiply-adds in float32, so {k['implant_ns']:.3f} ns a "
            f"sample and channel; memory is read at {k['read_gbytes']:.0f} GB/s.",
            f"The decoded velocity correlates {found['velocity_correlation']:.2f} with the true one.",
        ]
    elif kind in ("eeg", "fbcca"):
        said.append(f"Windows decided rightly: {100 * found['accuracy']:.0f} %.")
    return [*said, *found["notes"], _circumstances(found)]


def _kind(found: Mapping[str, Any]) -> str:
    return str(found.get("kind", "implant" if "limits" in found else "eeg"))


def _cells(columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> Cells:
    return [name for name, _ in columns], [[cell(row) for _, cell in columns] for row in rows]


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = (heads, ["---"] * len(heads), *rows)
    return "\n".join("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |" for cells in lines)


def _agreement(checks: Iterable[Mapping[str, Any]]) -> str:
    """Return the largest difference of each output from each peer."""
    worst: dict[str, dict[str, float]] = {}
    for c in checks:
        mine = worst.setdefault(c["peer"], {})
        for key in ("counts", "power", "velocity", "filtered", "scores"):
            if key in c:
                mine[key] = max(mine.get(key, 0.0), c[key])
    said = [f"{peer}: " + ", ".join(f"{k} {v:.1g}" for k, v in mine.items()) for peer, mine in worst.items()]
    return f"Largest relative differences of outputs, before timing: {'; '.join(said)}."


def _circumstances(found: Mapping[str, Any]) -> str:
    busy, machine = found["busy"], ", ".join(f"{k} {v}" for k, v in found["machine"].items())
    shared = busy["others_percent"] > SHARED
    warning = "**Taken while others used the machine: wall times are not the software's.** " if shared else ""
    return (
        f"{warning}Of the machine, other processes took {busy['others_percent']:.0f} %, its host "
        f"{busy['steal_percent']:.1f} %; load average {busy['load_before']:g} before, {busy['load_after']:g} after. "
        f"{machine}. Seed {found['seed']}."
    )
