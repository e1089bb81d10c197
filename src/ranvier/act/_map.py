"""Map: from what a decoder says to what is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar, Literal, final

import numpy as np

from ranvier.act._command import CONFIDENCE
from ranvier.errors import ContractError
from ranvier.stage import Scratch, Stage, State, Tags, need_signal
from ranvier.stream import Array, Block, Channels, Info, StreamInfo, is_all_valid

ROUNDING = 1e-6  # by which a probability may exceed 1


@final
@dataclass(frozen=True, eq=False)
class Map(Stage):
    """Turn decisions into the values of a command.

    Parameters
    ----------
    names, units
        Of the values. Of targets, empty means that they keep theirs.
    classes, values
        For a classifier: its classes, and what is wanted for each, ``values[class][name]``. The class with the largest
        score wins; of equal ones the first of the stream.
    targets, scale, offset
        For a regression: which targets are used (empty: all, in order), and ``value = scale * target + offset`` of
        each (empty: 1 and 0).
    confidence
        ``probability``: the largest score is how sure the decision is, as a channel ``confidence`` behind the values;
        ``none``: nobody knows.

    Notes
    -----
    *In*: one number a class or target, at a rate or at events. *Out*: one number a value, and if wanted the
    confidence, float64. Delay, support, settle: none added. A sample with an invalid score gives invalid values, an
    invalid target makes its value alone invalid. A score that is no probability makes the confidence invalid. Portable.

    Examples
    --------
    >>> from ranvier.stream import Channels, StreamInfo
    >>> scores = StreamInfo.signal(10, Channels.of(["left", "right"], "class", "1"))
    >>> Map(("vx",), ("cm/s",), classes=("left", "right"), values=((-5.0,), (5.0,))).describe(scores).channels.units
    ('cm/s',)
    """

    tags: ClassVar[Tags] = Tags(exactness="portable")
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    values: tuple[tuple[float, ...], ...] = ()
    targets: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    confidence: Literal["none", "probability"] = "none"

    def __post_init__(self) -> None:
        if len(self.names) != len(self.units):
            raise ContractError(
                f"Map needs a unit a name; got {len(self.names)} names and {len(self.units)} units. Plain numbers have "
                "the unit '1'."
            )
        if self.confidence not in ("none", "probability"):
            raise ContractError(
                f"Map needs confidence 'none' or 'probability'; got {self.confidence!r}. Choose one of them."
            )
        if self.classes:
            self._check_table()
        elif self.values or self.confidence != "none":
            raise ContractError("Map needs classes for values and for confidence; got none. Name the classes.")
        if not all(isfinite(v) for row in (*self.values, self.scale, self.offset) for v in row):
            raise ContractError("Map needs finite numbers in values, scale and offset; got NaN or infinity. Mend them.")

    def _check_table(self) -> None:
        if self.targets or self.scale or self.offset:
            raise ContractError("Map needs classes, or targets, scale and offset; got both. Remove one of the two.")
        n, widths = len(self.names), {len(row) for row in self.values}
        if not n or len(self.values) != len(self.classes) or widths != {n}:
            raise ContractError(
                f"Map needs for each of {len(self.classes)} classes a row of {n} values, at least one; got "
                f"{len(self.values)} rows of {sorted(widths)}. Write values[class][name]."
            )
        if len(set(self.classes)) != len(self.classes):
            raise ContractError(f"Map needs each class once; got {', '.join(self.classes)}. Remove what is twice.")

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given, events_ok=True)
        names, units = self._outputs(info)
        if self.confidence != "none" and CONFIDENCE in names:
            raise ContractError(f"Map needs another name for a value than {CONFIDENCE!r}, which it adds. Rename it.")
        channels = Channels.of(names, "command", units)
        if self.confidence != "none":
            channels = channels + Channels.of((CONFIDENCE,), CONFIDENCE, "1")
        return info.but(shape=(len(channels),), channels=channels, dtype=np.dtype(np.float64))

    def _outputs(self, info: StreamInfo) -> tuple[tuple[str, ...], tuple[str, ...]]:
        said = info.channels
        if self.classes:
            if set(said.names) != set(self.classes):
                raise ContractError(
                    f"Map needs a score for each of {', '.join(self.classes)} and no other; got "
                    f"{', '.join(said.names)}. Write a row of values for each class."
                )
            return self.names, self.units
        used = said.take(self._used(info))
        for what, n in (("names", len(self.names)), ("scale", len(self.scale)), ("offset", len(self.offset))):
            if n not in (0, len(used)):
                raise ContractError(
                    f"Map needs {len(used)} {what}, one a target ({', '.join(used.names)}), or none; got {n}. Mend it."
                )
        return self.names or used.names, self.units or used.units

    def _used(self, info: StreamInfo) -> list[int]:
        names = info.channels.names
        missing = [t for t in self.targets if t not in names]
        if missing:
            raise ContractError(
                f"Map needs the target {missing[0]!r}; got {', '.join(names)}. Name targets of the decoder."
            )
        return [names.index(t) for t in self.targets or names]

    def init(self, *infos: Info) -> State:
        out = self.describe(*infos)
        info: Any = infos[0]
        design: tuple[Any, ...]
        if self.classes:
            design = (np.array([self.values[self.classes.index(c)] for c in info.channels.names], np.float64),)
        else:
            used = self._used(info)
            scale, offset = self.scale or (1.0,) * len(used), self.offset or (0.0,) * len(used)
            each = tuple(zip(used, scale, offset, strict=True))
            design = np.array(used), np.array(scale, np.float64), np.array(offset, np.float64), each
        return State((design, Scratch(out.shape, np.float64)))

    def process(self, state: State, *chunks: Any) -> Block:
        (block,) = chunks
        design, scratch = state.design
        y, w = scratch.take(block.n)
        clean = is_all_valid(block.valid)
        x = block.data if clean else np.where(block.valid, block.data, 0)
        if self.classes:
            known = self._choose(design[0], x, block.valid, y, w)
        elif (
            block.n == 1 and clean
        ):  # a decision at a time, as live: numbers one by one are quicker, with the same bits
            row = block.data[0].tolist()
            y[0] = [row[i] * a + b for i, a, b in design[3]]
            known = True
        else:
            used, scale, offset, _ = design
            np.multiply(x[:, used], scale, out=y)
            y += offset
            known = clean
            if not clean:
                w[...] = block.valid[:, used]
                y[~w] = 0
        return Block(y, block.start, None if known else w, block.at)

    def _choose(self, table: Array, x: Array, valid: Array, y: Array, w: Array) -> bool:
        """Write the row of the best class, and if wanted its score; return whether all of it is valid."""
        n, best = table.shape[1], x.argmax(axis=1)
        y[:, :n] = table[best]
        w[...] = is_all_valid(valid) or valid.all(axis=1, keepdims=True)
        if self.confidence != "none":
            y[:, n] = x[np.arange(len(x)), best]
            w[:, n] &= ((x >= -ROUNDING) & (x <= 1 + ROUNDING)).all(axis=1)
        y[~w] = 0
        return bool(w.all())
