"""Where the electrodes are, and which of them can be trusted: a head, an array, or a grid of names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil, cos, pi, sin, sqrt

import numpy as np

from ranvier.evaluate.cleaning._svg import picture, plain, short, tag, text
from ranvier.stream import Channels

SIZE = 430.0
LABELLED = 100  # electrodes, beyond which there is no room for names
# rows of the 10-10 system: angle of the outermost electrode from the nose [degrees], place of the one on the midline
ROWS_10_10 = {
    "FP": (18, 1.0), "AF": (36, 0.75), "F": (54, 0.5), "FT": (72, 0.25), "FC": (72, 0.25), "T": (90, 0.0),
    "C": (90, 0.0), "TP": (108, -0.25), "CP": (108, -0.25), "P": (126, -0.5), "PO": (144, -0.75), "O": (162, -1.0),
    "I": (162, -1.2),
}  # fmt: skip
OLD = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
SAID = {"good": "good", "some": "bad at times", "bad": "bad, left out", "twice": "bridged"}
Place = tuple[float, float]


def schematic(name: str) -> Place | None:
    """Return where an electrode of the 10-10 system lies in a drawing of the head (radius 1, nose up), by its name."""
    bare = OLD.get(name.upper(), name.upper()).strip(" .")
    found = re.fullmatch(r"(?:EEG[ _-]?)?(FP|AF|FT|FC|TP|CP|PO|F|T|C|P|O|I)(Z|\d{1,2})", bare)
    if found is None or found[1] not in ROWS_10_10:
        return None
    angle, middle = ROWS_10_10[found[1]]
    if found[2] == "Z":
        return 0.0, middle
    k = int(found[2])
    if not 1 <= k <= 10:
        return None
    side = -1 if k % 2 else 1
    steps = (k + 1) // 2 if k % 2 else k // 2
    if found[1] in ("FP", "O", "I"):
        steps = 4
    part, out = min(steps, 4) / 4, 1.15 if steps > 4 or found[1] == "I" else 1.0
    x, y = sin(angle * pi / 180), cos(angle * pi / 180)
    return side * x * part * out, middle + (y * out - middle) * part**1.5 if part < 1 else y * out


def places(channels: Channels, names: Sequence[str]) -> tuple[list[Place], str]:
    """Return a place for each electrode, and what the drawing is: ``head``, ``by name``, ``array`` or ``grid``."""
    index = [channels.names.index(n) for n in names]
    known = [channels.positions[i] for i in index]
    if all(p is not None for p in known) and known:
        p = np.array(known, float)
        radius = np.linalg.norm(p, axis=1)
        if all(channels.kinds[i] == "eeg" for i in index) and 0.04 < np.median(radius) < 0.2:
            away = np.arccos(np.clip(p[:, 2] / np.maximum(radius, 1e-9), -1, 1)) / (pi / 2)
            turn = np.arctan2(p[:, 1], p[:, 0])
            return [(float(a * cos(t)), float(a * sin(t))) for a, t in zip(away, turn, strict=True)], "head"
        first, second = np.sort(np.argsort(-np.ptp(p, axis=0), kind="stable")[:2])
        flat = p[:, [first, second]] - (p[:, [first, second]].max(axis=0) + p[:, [first, second]].min(axis=0)) / 2
        reach = float(np.abs(flat).max())
        if reach > 0:
            return [(float(a / reach), float(b / reach)) for a, b in flat], "array"
    named = [schematic(n) for n in names]
    if named and all(p is not None for p in named) and len(set(named)) == len(named):
        return [p for p in named if p is not None], "by name"
    across = max(1, ceil(sqrt(len(names))))
    down = ceil(len(names) / across)
    return [
        (2 * (k % across + 0.5) / across - 1, 1 - 2 * (k // across + 0.5) / down) for k in range(len(names))
    ], "grid"


def channel_map(channels: Channels, verdict: dict[str, tuple[str, str]]) -> tuple[str, str]:
    """Return a drawing of electrodes, each with its verdict and what is said about it, and what the drawing is."""
    names = list(verdict)
    spots, kind = places(channels, names)
    head = kind in ("head", "by name")
    scale, middle = SIZE / 2 - (44 if head else 34), SIZE / 2
    out = []
    if head:
        out.append(tag("circle", cx=middle, cy=middle, r=scale, class_="head"))
        top = middle - scale
        nose = f"M{middle - 16:.0f} {top + 1:.0f}L{middle:.0f} {top - 20:.0f}L{middle + 16:.0f} {top + 1:.0f}"
        out.append(tag("path", d=nose, class_="head"))
    size = max(3.0, min(10.0, 66 / sqrt(len(names) + 1)))
    for name, (x, y) in zip(names, spots, strict=True):
        which, said = verdict[name]
        at, top = middle + scale * x, middle - scale * y
        both = plain(f"{name}: {said}")
        tip = f"<title>{both}</title>"
        out.append(_mark(which, at, top, size, tip))
        if len(names) <= LABELLED:
            out.append(text(at, top + size + 9, short(name, 7), text_anchor="middle", class_="tiny"))
    used = [w for w in SAID if any(v == w for v, _ in verdict.values())]
    for k, which in enumerate(used):
        left = 12 + k * 96
        out.append(_mark(which, left, SIZE + 14, 5.0, ""))
        out.append(text(left + 11, SIZE + 18, SAID[which]))
    return picture(SIZE, SIZE + 28, out, "Electrodes and the verdict on each"), kind


def _mark(which: str, x: float, y: float, r: float, tip: str) -> str:
    """Return a mark whose form tells the verdict apart as its colour does."""
    if which == "good":
        return tag("circle", tip, cx=x, cy=y, r=r, class_="m-good")
    if which == "some":
        points = (
            f"{x:.1f},{y - 1.3 * r:.1f} {x + 1.3 * r:.1f},{y:.1f} {x:.1f},{y + 1.3 * r:.1f} {x - 1.3 * r:.1f},{y:.1f}"
        )
        return tag("polygon", tip, points=points, class_="m-some")
    if which == "twice":
        points = f"{x:.1f},{y - 1.2 * r:.1f} {x + 1.2 * r:.1f},{y + r:.1f} {x - 1.2 * r:.1f},{y + r:.1f}"
        return tag("polygon", tip, points=points, class_="m-twice")
    box = tag("rect", tip, x=x - r, y=y - r, width=2 * r, height=2 * r, class_="m-bad")
    cross = f"M{x - r:.1f} {y - r:.1f}L{x + r:.1f} {y + r:.1f}M{x + r:.1f} {y - r:.1f}L{x - r:.1f} {y + r:.1f}"
    return box + tag("path", d=cross, class_="m-cross")
