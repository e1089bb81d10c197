"""Scaling: which whole numbers stand for the numbers of a channel, exactly where they come from counts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ranvier.record._export_content import Content

SAMPLE = 1 << 15  # numbers of a channel in which a step is looked for


class Scaling(NamedTuple):
    """Of one channel: digital and physical range, as the header of an EDF or BDF file has them (8 characters each)."""

    digital: tuple[int, int]
    physical: tuple[str, str]
    exact: bool

    @property
    def step(self) -> float:
        """How much one count is."""
        (a, b), (low, high) = self.digital, self.physical
        return (float(high) - float(low)) / (b - a)

    @property
    def offset(self) -> float:
        """What count 0 stands for."""
        return float(self.physical[0]) - self.digital[0] * self.step


def scalings_of(content: Content, bits: int) -> list[Scaling]:
    """Choose the scaling of each channel: counts as they are where they fit, else the range in all counts there are."""
    low, high = _ranges(content)
    first = next(content.blocks()).data[: max(SAMPLE, 1)]
    found = []
    for c in range(content.info.n_channels):
        step = content.gains[c] if content.gains is not None else _step(first[:, c])
        found.append(_scaling(float(low[c]), float(high[c]), float(step), bits))
    return found


def _ranges(content: Content) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    low, high = np.full((2, content.info.n_channels), np.inf) * [[1], [-1]]
    for block in content.blocks():
        finite = np.isfinite(block.data)
        low = np.minimum(low, np.where(finite, block.data, np.inf).min(axis=0))
        high = np.maximum(high, np.where(finite, block.data, -np.inf).max(axis=0))
    empty = low > high  # no finite number at all
    return np.where(empty, 0.0, low), np.where(empty, 0.0, high)


def _step(x: npt.NDArray[Any]) -> float:
    """Return the step of which all numbers are whole multiples (within what float32 keeps), 0 where there is none."""
    values = np.unique(x[np.isfinite(x)]).astype(np.float64)
    if len(values) < 2:
        return 0.0
    fine = float(np.abs(values).max()) * 2.0**-24
    steps = np.diff(values)
    step = float(steps[steps > 4 * fine].min(initial=np.inf))
    if not np.isfinite(step):
        return 0.0
    near = steps[(steps > 4 * fine) & (steps < 50 * step)]
    step = float(near.sum() / np.round(near / step).sum())
    k = np.round(values / step)  # steps that are few enough to be counted; then all of them
    step = float((k @ values) / (k @ k))
    k = np.round(values / step)
    return step if np.abs(values - k * step).max() <= max(0.02 * step, 2 * fine) and 4 * fine < step else 0.0


def _scaling(low: float, high: float, step: float, bits: int) -> Scaling:
    top = 2 ** (bits - 1) - 1
    if step > 0 and -top - 1 <= round(low / step) and round(high / step) <= top:
        need = max(abs(round(low / step)), abs(round(high / step)), 1)
        known = {2**k - e for k in range(4, bits) for e in (0, 1)} | {m * 10**k for k in range(7) for m in range(1, 10)}
        ends = {top, *range(need, min(top, need + 200)), *(n for n in known if need <= n <= top)}
        if need > top:  # the lowest count alone has no positive twin
            return Scaling((-top - 1, top), (_text(step * (-top - 1)), _text(step * top)), True)
        end = min(sorted(ends), key=lambda n: abs(float(_text(-step * n)) / n / step + 1))
        lowest = _text(-step * end)  # its sign takes a character: the highest is written like it
        if abs(float(lowest) / end + step) * need < 0.05 * step:
            return Scaling((-end, end), (lowest, lowest.removeprefix("-")), True)
    if low == high:
        low, high = low - 1, high + 1
    return Scaling((-top - 1, top), (_text(low, -1), _text(high, 1)), False)


def _text(value: float, outwards: int = 0) -> str:
    """Write a number in 8 characters, as near as can be; `outwards`: no higher (-1) or no lower (1) than it is."""
    for digits in range(9, -1, -1):
        text = f"{value:.{digits}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        if len(text) <= 8:
            if outwards * (float(text) - value) < 0:
                text = f"{float(text) + outwards * 10.0**-digits:.{digits}f}"
            if len(text) <= 8:
                return "0" if float(text) == 0 else text
    return f"{value:.1e}".replace("e+0", "e").replace("e+", "e")
