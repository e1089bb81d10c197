"""The report: one page of HTML that needs nothing else, everything that comes from files escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ranvier import __version__
from ranvier.denoise import Bandpass, Highpass
from ranvier.evaluate.cleaning import _pictures as draw
from ranvier.evaluate.cleaning._cleaned import Cleaned
from ranvier.evaluate.cleaning._findings import BAD, amount, percent
from ranvier.evaluate.cleaning._map import channel_map
from ranvier.evaluate.cleaning._propose_channels import TWICE
from ranvier.evaluate.cleaning._recommend import Recommendation
from ranvier.evaluate.cleaning._svg import plain
from ranvier.stage import Chain, name_of, to_table

LEVELS = {"fault": ("!", "to mend"), "note": ("·", "note"), "good": ("✓", "fine"), "unknown": ("?", "not judged")}
LINES = '<span class="key b"></span>before<span class="key a"></span>after'
KEY = f'{LINES}<span class="key m"></span>marked invalid'
HEAD = "<th class='n'>"
MAP_SAYS = {"head": "drawn where the recording says they are, seen from above, nose up",
            "by name": "the recording holds no positions: drawn where their 10-10 names place them, nose up",
            "array": "drawn where the recording says they are",
            "grid": "no positions known: in the order of the recording"}  # fmt: skip


def report(name: str, asked: Recommendation, done: Cleaned, toml: str, commands: Sequence[str], own: bool) -> str:
    """Return the page.

    Parameters
    ----------
    name
        Of the recording.
    asked, done
        What was found and proposed; what the pipeline did.
    toml
        The pipeline's file.
    commands
        How to run it.
    own
        Whether the pipeline is the user's, not the proposed one.
    """
    parts = [
        f"<h1>{plain(name)}</h1>", f'<p class="sub">{plain(asked.findings[0].text)}</p>',
        f'<p class="summary">{plain(asked.summary)}</p>', _figures(asked, done),
        _findings(asked), _pipeline(asked, done, own), _moments(done), _spectra(done), _channels(asked),
        _removed(asked, done), _how(toml, commands),
        f"<footer>Ranvier {plain(__version__)} · pipeline {plain(done.pipeline.id)} · output {done.digest[:16]} · "
        "research software, not a medical device</footer>",
    ]  # fmt: skip
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{plain(name)}: cleaned</title><style>{style}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _figures(asked: Recommendation, done: Cleaned) -> str:
    some = draw.electrodes(done)
    unit = plain(done.before.info.channels.units[some[0]])
    marked = float(done.marked[some].sum()) / max(done.before.size * len(some), 1)
    shown = [(_ms(float(done.info.delay)), "delay of the whole chain"),
             (f"{done.info.settle / float(done.info.rate):.3g} s", "until it has settled after a gap"),
             (percent(marked), "of the samples newly marked invalid")]  # fmt: skip
    if done.removed is not None:
        first, then = (float(np.median(m.rms[some])) for m in (done.before, done.after))
        shown.append((f"{first:.3g} → {then:.3g} {unit}", "rms of a second, median channel"))
    mains = asked.seen.mains if asked.seen is not None else None
    if mains:
        a, b = (m.spectrum.line(mains)[1][some] for m in (done.before, done.after))
        if np.isfinite(a).any():
            hum = f"{float(np.nanmedian(a)):.2g} → {float(np.nanmedian(b)):.2g} {unit}"
            shown.append((hum, f"rms at {mains:.0f} Hz"))
    return '<div class="figures">' + "".join(f"<div><b>{a}</b><span>{b}</span></div>" for a, b in shown) + "</div>"


def _ms(seconds: float) -> str:
    return "0 ms" if seconds < 5e-5 else f"{1000 * seconds:.1f} ms" if seconds < 0.01 else f"{1000 * seconds:.0f} ms"


def _table(head: Iterable[str], rows: Iterable[str]) -> str:
    return f"<table><thead><tr>{''.join(head)}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _cells(*values: Any) -> str:
    """Return cells of numbers."""
    return "".join(f'<td class="n">{plain(v)}</td>' for v in values)


def _findings(asked: Recommendation) -> str:
    order = {"fault": 0, "unknown": 2, "note": 1, "good": 3}
    rows = []
    for f in sorted(asked.findings[1:], key=lambda f: order[f.level]):
        sign, said = LEVELS[f.level]
        value = "" if f.value is None else f"{f.value:.3g} {f.unit}"
        limit = "" if f.limit is None else f"{f.limit:g} {f.unit}"
        cells = f'<td class="w">{plain(f.topic)}</td><td>{plain(f.text)}</td>{_cells(value, limit)}'
        rows.append(f'<tr><td class="level l-{f.level}"><i>{sign}</i>{said}</td>{cells}</tr>')
    head = ("<th></th><th>looked for</th><th>found</th>", f"{HEAD}figure</th>", f"{HEAD}held against</th>")
    return f"<h2>Findings</h2>{_table(head, rows)}"


def _pipeline(asked: Recommendation, done: Cleaned, own: bool) -> str:
    stages = done.pipeline.stages if isinstance(done.pipeline, Chain) else (done.pipeline,)
    reasons = [] if own else [p.reason for p in asked.proposed]
    written = list(stages) if own else [p.stage for p in asked.proposed]
    items, info, delay, settle = [], asked.info, 0.0, 0.0
    for k, stage in enumerate(stages):
        info = stage.describe(info)
        late, long = float(info.delay), info.settle / float(info.rate)
        cost = f"delay {_ms(late - delay)} · settle {long - settle:.3g} s"
        delay, settle = late, long
        why = f"<br>{plain(reasons[k])}" if reasons else ""
        name, given = plain(name_of(written[k])), _parameters(written[k])
        items.append(f'<li><span class="cost">{cost}</span><b>{name}</b> <code>{given}</code>{why}</li>')
    title = "Pipeline, as given" if own else "Proposed pipeline"
    note = (
        '<p class="note">What the findings would justify is in the table below; this pipeline was run instead.</p>'
        if own
        else ""
    )
    rows = [f"<tr><td class='w'>{plain(d.name)}</td><td>{plain(d.reason)}</td></tr>" for d in asked.declined]
    if own:
        rows = [
            f"<tr><td class='w'>{plain(p.name)}</td><td>proposed: {plain(p.reason)}</td></tr>" for p in asked.proposed
        ] + rows
    heading = "Proposed, or thought of" if own else "Thought of, and not proposed"
    listed = _table(("<th>stage</th><th>why</th>",), rows)
    declined = f"<details open><summary>{heading}</summary>{listed}</details>" if rows else ""
    return f'<h2>{title}</h2>{note}<ol class="steps">{"".join(items)}</ol>{declined}'


def _parameters(stage: Any) -> str:
    (table,) = to_table(stage, {})["stage"]
    learned = "contract" in table
    given = {
        k: v for k, v in table.items() if k not in ("use", "contract") and not (learned and not isinstance(v, float))
    }
    said = ", ".join(f"{k}={v}" for k, v in given.items())
    return plain(said if len(said) < 160 else said[:157] + "...")


def _moments(done: Cleaned) -> str:
    panes = [
        (p, f"Where most was taken off, {p.start / float(done.info.rate):.0f} s into it") for p in done.moments.worst
    ]
    if (typical := done.moments.typical) is not None and all(typical is not p for p, _ in panes):
        panes.append((typical, f"A typical moment, {typical.start / float(done.info.rate):.0f} s into it"))
    if not panes:
        return "<h2>Before and after</h2><p>Nothing is valid in front and behind: nothing to show.</p>"
    shown = "".join(draw.traces(done, p, title) for p, title in panes)
    stages = done.pipeline.stages if isinstance(done.pipeline, Chain) else (done.pipeline,)
    slow = any(isinstance(s, Highpass | Bandpass) for s in stages)
    shift = " A causal high-pass also shifts what is slow in time: there traces part without anything being lost."
    turned = shift if slow else ""
    same = "on one scale" if done.removed is not None else "each on its own scale, the units differ"
    return (
        f'<h2>Before and after</h2><p class="note">{KEY} · {same}; the offset of each trace is taken off for the '
        "picture</p>"
        f"{draw.levels(done)}<p class='note'>Grey: the moments shown below.{turned}</p>{shown}"
    )


def _spectra(done: Cleaned) -> str:
    figure = draw.spectra(done)
    if not figure:
        return "<h2>Spectra</h2><p>No window is valid throughout: there is nothing to show.</p>"
    return (
        f'<h2>Spectra</h2><p class="note">{LINES} · line: median of the channels; shaded: 80 % of them; windows of '
        f"{done.before.spectrum.length / float(done.info.rate):.3g} s that are valid before and after</p>{figure}"
    )


def _channels(asked: Recommendation) -> str:
    v = asked.verdicts
    if v is None or not v.judged:
        return ""
    proposed = {n for p in asked.proposed if p.name == "channels.Pick" for n in v.names
                if n not in p.runs.describe(asked.info).channels.names}  # fmt: skip
    verdict = {}
    for c, name in enumerate(v.names):
        said = f"bad {percent(v.share(c))} of the time" + (f", mostly {v.why(c)}" if v.why(c) else "")
        which = "bad" if name in proposed else "good" if v.share(c) < BAD else "some"
        verdict[name] = ("twice" if which == "some" and v.why(c) == TWICE else which, said)
    drawn, kind = channel_map(asked.info.channels, verdict)
    worst = sorted((c for c in range(len(v.names)) if v.share(c) > 0), key=lambda c: -v.share(c))[:30]
    figures = {c: _cells(f"{v.seconds(c):.3g} s", percent(v.share(c))) for c in worst}
    rows = [f"<tr><td>{plain(v.names[c])}</td><td>{plain(v.why(c))}</td>{figures[c]}</tr>" for c in worst]
    head = ("<th>channel</th><th>mostly</th>", f"{HEAD}bad for</th>", f"{HEAD}share</th>")
    listed = _table(head, rows) if rows else "<p>No channel was bad at any time.</p>"
    lost = sum(n for _, n in asked.seen.gaps) if asked.seen is not None else 0
    over_time = draw.raster(v, (v.judged + lost) / v.rate)
    key = '<span class="key x"></span>bad<span class="key t"></span>bridged<span class="key s"></span>suspect'
    key += " · judged once a second, known at its end"
    raster = f'<h3>Over time</h3><p class="note">{key}</p>{over_time}' if over_time else ""
    where = f'{drawn}<p class="note">{MAP_SAYS[kind]}</p>'
    return f'<h2>Channels</h2><div class="two"><div>{where}</div><div>{listed}</div></div>{raster}'


def _removed(asked: Recommendation, done: Cleaned) -> str:
    rows = done.channels(asked.seen.mains if asked.seen is not None else None)
    if not rows:
        return ""
    bands = list(rows[0]["bands"])
    some = [rows[i] for i in draw.electrodes(done)]
    unit = some[0]["unit"]
    total = []
    for b in bands:
        pairs = np.array([[np.nan if v is None else v for v in r["bands"][b]] for r in some], float)
        known = pairs[np.isfinite(pairs).all(axis=1) & (pairs[:, 0] > 0)]
        if len(known):
            x, y = np.median(known, axis=0)
            with np.errstate(all="ignore"):
                change = 10 * np.log10(known[:, 1] / known[:, 0])
            middle, low, high = np.median(change), change.min(), change.max()
            cells = _cells(f"{x:.3g}", f"{y:.3g}", f"{middle:+.1f} dB", f"{low:+.1f} to {high:+.1f} dB")
            total.append(f"<tr><td>{plain(b)}</td>{cells}</tr>")
    head = ("<th>band</th>", f"{HEAD}before [{plain(unit)}²]</th>", f"{HEAD}after</th>", f"{HEAD}change</th>",
            f"{HEAD}over the channels</th>")  # fmt: skip
    by_band = f"<h3>Power by band, median of the channels</h3>{_table(head, total)}" if total else ""
    lines = []
    for r in rows:
        mains = "" if r["line_before"] is None else f"{_n(r['line_before'])} → {_n(r['line_after'])}"
        levels = [_n(r[k]) for k in ("rms_before", "rms_after", "rms_removed", "peak_before", "peak_after")]
        marked = percent(r["marked_share"]) if r["marked"] else "0"
        cells = _cells(*levels, _offset(r), mains, marked)
        lines.append(f"<tr><td>{plain(r['name'])}</td><td>{plain(r['unit'])}</td>{cells}</tr>")
    names = ("rms before", "rms after", "rms taken off", "peak before", "peak after", "offset", "mains", "marked")
    each = _table(("<th>channel</th><th>unit</th>", *(f"{HEAD}{n}</th>" for n in names)), lines)
    shown = f"<summary>Channel by channel</summary><div class='dense'>{each}</div>"
    return (
        '<h2>What was removed</h2><p class="note">Of samples that are valid before and after; rms about the mean of '
        "each second, peaks half of the largest range of one. Positive changes are power that was added.</p>"
        f"{by_band}<details{' open' if len(rows) <= 70 else ''}>{shown}</details>"
    )


def _n(value: Any) -> str:
    return "–" if value is None else f"{value:.3g}"


def _offset(row: dict[str, Any]) -> str:
    return f"{amount(row['mean_before'] or 0.0, row['unit'])} → {_n(row['mean_after'])}"


def _how(toml: str, commands: Sequence[str]) -> str:
    file = f"<details><summary>The pipeline's file</summary><pre>{_lines(toml)}</pre></details>"
    return f"<h2>Run it again</h2><pre>{_lines(chr(10).join(commands))}</pre>{file}"


def _lines(text: str) -> str:
    return "\n".join(plain(line) for line in text.split("\n"))
