"""Pictures of a report: traces, spectra, level over time, verdicts over time."""

from __future__ import annotations

import numpy as np

from ranvier.evaluate.cleaning._cleaned import Cleaned
from ranvier.evaluate.cleaning._judge import Verdicts
from ranvier.evaluate.cleaning._panes import Pane
from ranvier.evaluate.cleaning._profile import ELECTRODES
from ranvier.evaluate.cleaning._propose_channels import TWICE
from ranvier.evaluate.cleaning._svg import Axes, envelope, number, path, picture, short, tag, text
from ranvier.stream import Array

WIDE = 940.0
LEFT, RIGHT = 74.0, 14.0
ROWS, ROW = 10, 46.0  # traces of a picture, and the height of each [px]
LISTED = 60  # rows of verdicts
LABEL = 11  # letters of a channel's name


def electrodes(done: Cleaned) -> list[int]:
    """Return the channels that are drawn: electrodes, or all where there are none."""
    found = [i for i, k in enumerate(done.info.channels.kinds) if k in ELECTRODES]
    return found or list(range(done.info.n_channels))


def traces(done: Cleaned, pane: Pane, title: str) -> str:
    """Draw one pane: channels one below the other, before and after on one scale."""
    rate, seconds = float(done.info.rate), len(pane.after) / float(done.info.rate)
    x = np.where(pane.before_ok, pane.before, np.nan).astype(float)
    y = np.where(pane.after_ok, pane.after, np.nan).astype(float)
    one_unit = done.removed is not None
    x, y = x - _middle(x), (y - _middle(y))
    chosen = _chosen(x, y, electrodes(done))
    reach = _reach(np.concatenate([x[:, chosen], y[:, chosen]]) if one_unit else x[:, chosen])
    other = reach if one_unit else _reach(y[:, chosen])
    height = 26 + ROW * len(chosen) + 40
    axes = Axes(
        (LEFT, 22, WIDE - LEFT - RIGHT, ROW * len(chosen)), (pane.start / rate, pane.start / rate + seconds), (0, 1)
    )
    out = axes.frame("time [s]", "", scale=False)
    clip = f"c{pane.start}"
    out.append(
        tag("clipPath", tag("rect", x=LEFT, y=18.0, width=WIDE - LEFT - RIGHT, height=ROW * len(chosen) + 8), id=clip)
    )
    lines = []
    for row, c in enumerate(chosen):
        zero = 22 + ROW * (row + 0.5)
        out.append(text(LEFT - 6, zero + 4, short(done.info.channels.names[c], LABEL), text_anchor="end"))
        for signal, size, which in ((x, reach, "before"), (y, other, "after")):
            at, value = envelope(signal[:, c], 900)
            lines.append(path(axes.px((pane.start + at) / rate), zero - value / size * ROW * 0.75, class_=which))
        lines += _marks(axes, pane.before_ok[:, c] & ~pane.after_ok[:, c], pane.start, rate, zero)
    out.append(tag("g", "".join(lines), clip_path=f"url(#{clip})"))
    bar = _round(reach)
    right = WIDE - RIGHT - 8
    out.append(tag("line", x1=right, x2=right, y1=26.0, y2=26 + bar / reach * ROW * 0.75, class_="bar"))
    unit = done.before.info.channels.units[chosen[0]]
    out.append(text(right - 6, 38.0, f"{number(bar)} {unit}", text_anchor="end", class_="strong"))
    out.append(text(LEFT, 14.0, title, class_="strong"))
    return picture(WIDE, height, out, title)


def _middle(x: Array) -> Array:
    out = np.zeros(x.shape[1])
    some = np.isfinite(x).any(axis=0)
    out[some] = np.nanmedian(x[:, some], axis=0)
    return out


def _reach(x: Array) -> float:
    """Return what a row's height stands for: nearly the largest excursion."""
    found = np.abs(x[np.isfinite(x)])
    return max(float(np.quantile(found, 0.998)), 1e-12) if len(found) else 1.0


def _round(value: float) -> float:
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * max(m for m in (1, 2, 5) if m * power <= value))


def _chosen(x: Array, y: Array, some: list[int]) -> list[int]:
    """Return those in which most is taken off, and some of the others, in the order of the recording."""
    with np.errstate(all="ignore"):
        off = np.nan_to_num(np.nan_to_num(np.abs(x - y)).max(axis=0))[some]
    first = [some[k] for k in np.argsort(-off, kind="stable")[: ROWS - 4]]
    rest = [c for c in some if c not in first]
    left = ROWS - len(first)
    return sorted([*first, *rest[:: max(1, -(-len(rest) // max(left, 1)))][:left]])


def _marks(axes: Axes, marked: Array, start: int, rate: float, zero: float) -> list[str]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    out = []
    for a, b in list(zip(edges[::2], edges[1::2], strict=True))[:200]:
        left, right = float(axes.px((start + a) / rate)), float(axes.px((start + b) / rate))
        out.append(
            tag("rect", x=left, y=zero - ROW * 0.42, width=max(right - left, 0.5), height=ROW * 0.84, class_="mask")
        )
    return out


def spectra(done: Cleaned) -> str:
    """Draw the spectra before and after: the median of the channels, and between which 80 % of them lie."""
    f = done.before.spectrum.frequency
    some = electrodes(done)
    low = max(float(f[1]), 0.5)
    keep = f >= low
    if keep.sum() < 4:
        return ""
    bands = []
    for measure, which in ((done.before, "before"), (done.after, "after")):
        density = measure.spectrum.density[keep][:, some]
        whole = density[:, np.isfinite(density).all(axis=0)]
        if whole.shape[1]:
            at, parts = _by_column(f[keep], np.quantile(whole, (0.1, 0.5, 0.9), axis=1))
            bands.append((which, at, parts))
    if not bands:
        return ""
    largest = max(float(p.max()) for _, _, p in bands)
    middle = min(float(np.quantile(p[1][p[1] > 0], 0.02)) if (p[1] > 0).any() else largest for _, _, p in bands)
    y = (max(middle / 3, largest * 1e-10, 1e-30), max(largest * 1.6, 1e-29))
    axes = Axes((LEFT, 14, WIDE - LEFT - RIGHT, 300), (low, float(f[-1])), y, "xy")
    units = dict.fromkeys(done.before.info.channels.units[i] for i in some)
    unit = next(iter(units)) if len(units) == 1 else "unit"
    said = f"{unit}²/Hz" if unit != "1" else "1/Hz"
    out = axes.frame("frequency [Hz]", f"power density [{said}]")
    for which, at, (a, b, c) in bands:
        x, floor = axes.px(at), y[0]
        around = np.concatenate([np.maximum(a, floor), np.maximum(c, floor)[::-1]])
        points = " ".join(
            f"{p:.1f},{q:.1f}" for p, q in zip(np.concatenate([x, x[::-1]]), axes.py(around), strict=True)
        )
        out.append(tag("polygon", points=points, class_=f"{which}-range"))
        out.append(path(x, axes.py(np.maximum(b, floor)), class_=f"{which} thick"))
    return picture(WIDE, 360, out, "Power density by frequency before and after, median and range of the channels")


def _by_column(f: Array, density: Array) -> tuple[Array, Array]:
    """Return the largest value of each of 420 columns of a logarithmic axis: a line stays as high as it is."""
    column = np.floor(420 * np.log(f / f[0]) / np.log(f[-1] / f[0])).astype(int)
    begins = np.flatnonzero(np.diff(column, prepend=-1))
    return f[begins], np.maximum.reduceat(density, begins, axis=1)


def levels(done: Cleaned) -> str:
    """Draw how large the signal is over time: the median and the largest range of a hop over channels."""
    some = electrodes(done)
    rate = float(done.info.rate)
    starts = np.array(done.before.starts) / rate
    if len(starts) < 3:
        return ""
    found = []
    for measure, which in ((done.before, "before"), (done.after, "after")):
        ranges = measure.ranges[:, some]
        none = ~np.isfinite(ranges).any(axis=1)
        found.append((which, np.where(none, np.nan, np.where(np.isfinite(ranges), ranges, -np.inf).max(axis=1))))
    known = np.concatenate([v for _, v in found]).astype(float)
    known = known[np.isfinite(known) & (known > 0)]
    if not len(known):
        return ""
    limits = known.min() / 1.3, known.max() * 1.3
    axes = Axes((LEFT, 14, WIDE - LEFT - RIGHT, 150), (float(starts[0]), float(starts[-1] + done.before.hop / rate)),
                (float(limits[0]), float(limits[1])), "y")  # fmt: skip
    unit = done.before.info.channels.units[some[0]]
    out = axes.frame("time [s]", f"largest range [{unit}]")
    for pane in done.moments.worst:
        a, b = float(axes.px(pane.start / rate)), float(axes.px((pane.start + len(pane.after)) / rate))
        out.append(tag("rect", x=a, y=14.0, width=max(b - a, 1.0), height=150.0, class_="shown"))
    for which, value in found:
        at, shown = envelope(value, 700)
        out.append(path(axes.px(np.interp(at, np.arange(len(starts)), starts)), axes.py(shown), class_=which))
    return picture(WIDE, 214, out, "Largest range of a channel in each second, before and after")


def raster(verdicts: Verdicts, seconds: float) -> str:
    """Draw when which channel is suspect or bad."""
    order = [c for c in range(len(verdicts.names)) if verdicts.spans[c]]
    order = sorted(sorted(order, key=lambda c: -verdicts.share(c))[:LISTED])
    if not order:
        return ""
    row = 15.0
    axes = Axes((LEFT + 26, 8, WIDE - LEFT - RIGHT - 26, row * len(order)), (0, seconds), (0, 1))
    out = axes.frame("time [s]", "", scale=False)
    for k, c in enumerate(order):
        top = 8 + row * k
        out.append(text(LEFT + 20, top + 11.5, short(verdicts.names[c], LABEL), text_anchor="end"))
        for a, b, level, reason in _drawn(verdicts, c, seconds):
            left, right = float(axes.px(a)), float(axes.px(b))
            tip = f"<title>{level}: {reason}</title>"
            out.append(tag("rect", tip, x=left, y=top + (1 if level == "bad" else 4), width=max(right - left, 0.8),
                           height=row - (2 if level == "bad" else 8),
                           class_="twice" if level == "bad" and reason == TWICE else level))  # fmt: skip
    return picture(WIDE, row * len(order) + 46, out, "Verdicts on channels over time")


def _drawn(verdicts: Verdicts, channel: int, seconds: float) -> list[tuple[float, float, str, str]]:
    """Return stretches [s], those that would touch in the picture joined."""
    near = seconds / 800
    out: list[tuple[float, float, str, str]] = []
    for s in verdicts.spans[channel]:
        a, b = s.start / verdicts.rate, s.stop / verdicts.rate
        if out and out[-1][2:] == (s.level, s.reason) and a - out[-1][1] < near:
            out[-1] = (out[-1][0], b, s.level, s.reason)
        else:
            out.append((a, b, s.level, s.reason))
    return out
