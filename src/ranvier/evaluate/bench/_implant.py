"""ranvier bench implant: outputs compared, then timed in turns beside others on the same blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.evaluate.bench._data import MICROVOLTS, RATE
from ranvier.evaluate.bench._implant_cores import cores
from ranvier.evaluate.bench._implant_job import BAND, BIN, PEERS, TRAINING, Job, front
from ranvier.evaluate.bench._implant_masked import contenders, verify_masked
from ranvier.evaluate.bench._machine import Watch, limits, machine
from ranvier.evaluate.bench._options import Options, same
from ranvier.evaluate.bench._profile import profile
from ranvier.evaluate.bench._timing import Contender, Push, in_turns, most_turns, part_length
from ranvier.stage import Run
from ranvier.stream import Block

Array = npt.NDArray[Any]
BLOCKS_MS = (1.0, 5.0, 20.0)
CHUNK_MS = 1000.0  # of SpikeInterface
CHANNELS = 1024
CHECKED = 2.0  # s over which outputs are compared before anything is timed
SETTLED = 0.6  # s after which they are: two noise estimates, and what the decoder made of the first bins
GRAIN = round(BIN * RATE)


def implant(options: Options, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure the implant job; docs/benchmarks.md says what each figure is."""
    channels = options.channels or CHANNELS
    peers, notes = options.usable_peers(PEERS)
    plan = [(ms, n, [p for p in peers if p != "spikeinterface"]) for ms, n in options.blocks(BLOCKS_MS, RATE)]
    if "spikeinterface" in peers:
        plan.append((CHUNK_MS, RATE, ["spikeinterface"]))
    watch, limit = Watch(), limits()
    seconds = max(options.seconds, CHECKED)
    tell(f"making {TRAINING + seconds:g} s of {channels} channels, fitting the decoder")
    job = Job.of(channels, seconds, options.seed)
    more = [Contender("ranvier, its loop alone", job.loop, lacks="Kalman; the Python around the loop")]
    masked = contenders(job, options.seed) if options.masked else []
    rows, checks = [], []
    for ms, block, theirs in plan:
        mine = masked if "spikeinterface" not in theirs else []
        tell(f"blocks of {ms:g} ms: comparing outputs")
        checks += verify(job, theirs, block)
        verify_masked(job, mine, block, CHECKED)
        tell(f"blocks of {ms:g} ms: timing")
        times = _times(job, [*more, *mine], theirs, block, options.turns, limit)
        rows += [{"channels": channels, "block_ms": ms, **r} for r in times]
    found: dict[str, Any] = {
        "rows": rows, "checks": checks, "limits": limit, "velocity_correlation": quality(job), "busy": watch.said(),
        "machine": machine(*[package for p in peers for package in PEERS[p]]), "seed": options.seed,
    }  # fmt: skip
    if options.profile:
        ms, block, _ = plan[0]
        tell(f"blocks of {ms:g} ms: profile")
        blocks = [Block(job.counts[a : a + block], a) for a in range(0, min(RATE, len(job.counts)) - block, block)]
        found["profile"] = [{"block_ms": ms, **r} for r in profile(job.whole, job.info, blocks)]
    if options.cores > 1:
        tell(f"one core and {options.cores}")
        found["cores"] = cores(job.counts[:3000, :CHANNELS], options.cores, options.turns)
    found["notes"] = [*notes, *[f"{c.name}: {c.note}" for c in job.contenders(peers) if c.note]]
    return found


def _times(
    job: Job, more: list[Contender], peers: list[str], block: int, turns: int, limit: dict[str, float]
) -> list[dict[str, Any]]:
    turns = most_turns(len(job.counts), block, turns, GRAIN)
    ours, *others = job.contenders(peers)
    everybody = [ours, *more, *others]
    timings = in_turns(everybody, job.counts, block, turns, GRAIN)
    samples, n = part_length(len(job.counts), block, turns, GRAIN), job.info.n_channels
    rows = []
    for c in everybody:
        row = timings[c.name].row(samples, n, RATE)
        rows.append({
            "who": c.name, **row, "channels_per_core": n * row["real_time"],
            "of_limit": limit["implant_ns"] / row["ns_per_sample"],
            "times_ours": timings[c.name].ratio(timings["ranvier"]), "lacks": c.lacks,
        })  # fmt: skip
    return rows


def verify(job: Job, peers: list[str], block: int) -> list[dict[str, Any]]:
    """Compare everybody's outputs with ours; refuse what does not agree.

    Counts may differ where a sample lies within rounding of the threshold. Those who are given a threshold are
    compared with SciPy given the same one; those who only filter, with SciPy's filter in float64.
    """
    x = job.counts[: int(CHECKED * RATE)]
    rows = []
    for peer in peers:
        if peer == "scipy":
            found = _compare(_ours(job, x, block), collect(job.scipy(job.running()), x, block))
        elif peer == "ezmsg":
            found = _compare(collect(job.scipy(job.threshold), x, block), collect(job.ezmsg(), x, block))
        else:
            found = {"filtered": same("the filtered signal", _filtered_apart(job, peer, block), 1e-3)}
        rows.append({"peer": peer, "block": block, **found})
    return rows


def collect(push: Push, x: Array, block: int) -> tuple[Array, Array]:
    """Run a peer over samples and return features and velocities, one row a bin."""
    found = [o for a in range(0, len(x), block) for o in push(x[a : a + block], a)]
    return np.array([f for f, _ in found]), np.array([v for _, v in found])


def _ours(job: Job, x: Array, block: int) -> tuple[Array, Array]:
    runs = Run(front(), job.info), Run(job.whole, job.info)
    blocks = [Block(x[a : a + block], a) for a in range(0, len(x), block)]
    features, velocities = (np.concatenate([run.push(b).data for b in blocks]) for run in runs)
    return features, velocities


def _compare(ours: tuple[Array, Array], theirs: tuple[Array, Array]) -> dict[str, float]:
    """Return how far features and velocities are apart, once everybody has settled."""
    same("the number of bins", abs(len(ours[0]) - len(theirs[0])), 0)
    late = slice(round(SETTLED / BIN), None)
    (a, va), (b, vb) = ((features[late], velocities[late]) for features, velocities in (ours, theirs))
    n = a.shape[1] // 2
    events = float(a[:, :n].sum())
    return {
        "counts": same("counts", float(np.abs(a[:, :n] - b[:, :n]).sum()) / max(events, 1), 2e-3),
        "power": same("power", float((np.abs(a[:, n:] - b[:, n:]) / a[:, n:]).max()), 1e-3),
        "velocity": same("velocity", float(np.abs(va - vb).max() / va.std()), 2e-2),
        "spikes_per_s": events / len(a) / n / BIN,
    }


def _filtered_apart(job: Job, peer: str, block: int) -> float:
    """Return by how much a filtered block differs from SciPy's: rms of the difference over rms.

    BrainFlow begins at rest with every block; a chunk of SpikeInterface begins with a margin, and what was before
    that is forgotten.
    """
    from scipy.signal import butter, sosfilt

    first = 0 if peer == "brainflow" else max(2 * block, RATE) - block
    counts = job.counts[: first + block]
    x = counts * MICROVOLTS
    groups = x.reshape(len(x), -1, job.group)
    groups -= groups.mean(axis=2, keepdims=True)
    expected = sosfilt(butter(4, BAND, "band", fs=RATE, output="sos"), x, axis=0)[first:]
    found = job.brainflow()(counts, 0).T if peer == "brainflow" else job.spikeinterface()(counts[first:], first)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def quality(job: Job) -> float:
    """Return the correlation of decoded and true velocity, over what is compared."""
    run = Run(job.whole, job.info)
    block = run.push(Block(job.counts[: int(CHECKED * RATE)], 0))
    late = slice(round(SETTLED / BIN), None)
    truth = job.velocity[[run.info.origin.newest(k) for k in range(block.start, block.stop)]][late]
    return float(np.mean([np.corrcoef(block.data[late, i], truth[:, i])[0, 1] for i in range(2)]))
