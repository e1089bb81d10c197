"""Drawing in SVG: axes, lines, text; small, escaped, coloured by the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any

import numpy as np

from ranvier.stream import Array


def plain(text: Any) -> str:
    """Return text for a page: what could be markup or a control character is none any more."""
    return escape("".join(c if c.isprintable() else " " for c in str(text)), quote=True)


def short(name: str, most: int) -> str:
    """Return a name that fits; of a long one begin and end, where names differ."""
    return name if len(name) <= most else f"{name[: most // 3]}…{name[most // 3 + 1 - most :]}"


def tag(name: str, content: str = "", **attributes: Any) -> str:
    """Return an element; attributes are escaped, `content` is not."""
    given = "".join(
        f' {k.rstrip("_").replace("_", "-")}="{plain(_short(v))}"' for k, v in attributes.items() if v is not None
    )
    return f"<{name}{given}>{content}</{name}>" if content else f"<{name}{given}/>"


def text(x: float, y: float, said: Any, **attributes: Any) -> str:
    """Return a text; it is escaped."""
    return tag("text", plain(said), x=x, y=y, **attributes)


def picture(width: float, height: float, parts: Sequence[str], title: str) -> str:
    """Return a whole SVG; `title` is what is read aloud in its place."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" aria-label="{plain(title)}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{plain(title)}</title>{"".join(parts)}</svg>'
    )


def _short(value: Any) -> Any:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float | np.floating) else value


def path(x: Array, y: Array, **attributes: Any) -> str:
    """Return a line through points, broken where one is no number."""
    parts, pen = [], "M"
    for a, b in zip(np.asarray(x, float).tolist(), np.asarray(y, float).tolist(), strict=True):
        if not (np.isfinite(a) and np.isfinite(b)):
            pen = "M"
            continue
        parts.append(f"{pen}{a:.1f} {b:.1f}")
        pen = "L"
    return tag("path", d="".join(parts), fill="none", **attributes) if parts else ""


class Axes:
    """A rectangle with scales.

    Parameters
    ----------
    box
        Left, top, width, height [px].
    x, y
        Limits; lower, upper.
    log
        Which of the axes are logarithmic: "", "x", "y" or "xy".
    """

    def __init__(
        self, box: tuple[float, float, float, float], x: tuple[float, float], y: tuple[float, float], log: str = ""
    ) -> None:
        self.left, self.top, self.width, self.height = box
        self.x, self.y, self.log = x, y, log

    def _part(self, value: Any, limits: tuple[float, float], log: bool) -> Any:
        low, high = limits
        if log:
            with np.errstate(all="ignore"):
                return (np.log10(value) - log10(low)) / (log10(high) - log10(low))
        return (np.asarray(value, float) - low) / (high - low)

    def px(self, value: Any) -> Any:
        return self.left + self.width * self._part(value, self.x, "x" in self.log)

    def py(self, value: Any) -> Any:
        return self.top + self.height * (1 - self._part(value, self.y, "y" in self.log))

    def frame(self, x_label: str, y_label: str, *, scale: bool = True) -> list[str]:
        """Return grid, numbers and labels; without a `scale` on the left if rows stand there."""
        bottom = self.top + self.height
        out = [tag("rect", x=self.left, y=self.top, width=self.width, height=self.height, class_="frame")]
        for v in ticks(*self.x, "x" in self.log):
            at = float(self.px(v))
            out.append(tag("line", x1=at, x2=at, y1=self.top, y2=bottom, class_="grid"))
            out.append(text(at, bottom + 15, number(v), text_anchor="middle"))
        for v in ticks(*self.y, "y" in self.log) if scale else ():
            at = float(self.py(v))
            out.append(tag("line", x1=self.left, x2=self.left + self.width, y1=at, y2=at, class_="grid"))
            out.append(text(self.left - 6, at + 4, number(v), text_anchor="end"))
        middle = self.top + self.height / 2
        out.append(text(self.left + self.width / 2, bottom + 32, x_label, text_anchor="middle", class_="label"))
        turn = f"rotate(-90 14 {middle:.0f})"
        out.append(text(14, middle, y_label, text_anchor="middle", class_="label", transform=turn))
        return out


def ticks(low: float, high: float, log: bool = False) -> list[float]:
    """Return round numbers between limits."""
    if log:
        decades = [10.0**k for k in range(ceil(log10(low) - 1e-9), floor(log10(high) + 1e-9) + 1)]
        if len(decades) > 2 or high / low > 300:
            return decades[:: max(1, len(decades) // 8)]
        return [m * 10.0**k for k in range(floor(log10(low)), ceil(log10(high)) + 1) for m in (1, 2, 5)
                if low * (1 - 1e-9) <= m * 10.0**k <= high * (1 + 1e-9)]  # fmt: skip
    span = high - low
    step = 10.0 ** floor(log10(span / 4)) if span > 0 else 1.0
    step *= next(m for m in (1, 2, 5, 10) if span / (m * step) <= 8)
    return [k * step for k in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """Return a number as short as it goes: powers of ten where it is far from 1."""
    if value and not 1e-3 <= abs(value) < 1e5:
        power = floor(log10(abs(value)) + 1e-9)
        digit = value / 10.0**power
        head = "" if abs(digit - 1) < 1e-6 else f"{digit:g}·"
        return f"{head}10{''.join('⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.index(c)] for c in str(power))}"
    return f"{value:.6g}"


def envelope(x: Array, width: int) -> tuple[Array, Array]:
    """Return places and values of a line that shows every extreme of a long signal in some columns."""
    if len(x) <= 2 * width:
        return np.arange(len(x), dtype=float), np.asarray(x, float)
    each = -(-len(x) // width)
    padded = np.concatenate([x, np.full(-len(x) % each, np.nan)]).astype(float).reshape(-1, each)
    none = np.isnan(padded).all(axis=1)
    low = np.where(none, np.nan, np.where(np.isnan(padded), np.inf, padded).min(axis=1))
    high = np.where(none, np.nan, np.where(np.isnan(padded), -np.inf, padded).max(axis=1))
    at = np.repeat(np.arange(len(low)) * each, 2) + np.tile([0.25 * each, 0.75 * each], len(low))
    return at, np.stack([low, high], axis=1).ravel()
