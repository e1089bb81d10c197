"""Reref: bipolar pairs, or any named reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np

from ranvier.channels._names import electrodes, find
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, Tags, need_signal
from ranvier.stream import Block, Channels, Info, StreamInfo, is_all_valid

Row = tuple[int, list[int]]  # a channel, and those whose mean is taken from it


@final
@dataclass(frozen=True, eq=False)
class Reref(BlockStage):
    """Measure each electrode against a partner, or a named reference.

    Parameters
    ----------
    method
        ``bipolar``: the first minus the second of each of `pairs`; only these come out, named ``C3-Cz``,
        placed half-way between the two.
        ``channel``: every electrode (eeg, ecog, seeg, dbs, lfp, spikes) minus the mean of `reference`.
    pairs
        Channel names, for ``bipolar``.
    reference
        One or several channel names or patterns, for ``channel``: ``("M1", "M2")``. They stay in the stream.

    Notes
    -----
    *In*: signal ``(n,)``, or one sample an event. *Out*: the pairs; or the same channels, those that are no
    electrodes as they were; float32 (float64 for float64). A number is valid where all that it was made of
    is valid: measured against something else while one is lost, it would be another montage (`Laplacian` and
    `LocalReference` change over with a fade). Delay 0, support 1, settle 0. Portable.

    Raises
    ------
    ContractError
        A name is unknown, or what a method needs is missing.

    Examples
    --------
    >>> from ranvier.stream import Channels, StreamInfo
    >>> info = StreamInfo.signal(250, Channels.of(["C3", "Cz", "C4"]))
    >>> Reref("bipolar", pairs=(("C3", "Cz"), ("C4", "Cz"))).describe(info).channels.names
    ('C3-Cz', 'C4-Cz')
    """

    method: Literal["bipolar", "channel"]
    pairs: tuple[tuple[str, str], ...] = ()
    reference: tuple[str, ...] = ()

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True)

    def rows(self, info: StreamInfo) -> list[Row]:
        """Return for each channel that comes out where it starts from, and what is averaged and taken away."""
        c = info.channels
        if self.method not in ("bipolar", "channel"):
            raise ContractError(f"Reref needs method 'bipolar' or 'channel'; got {self.method!r}. Mend the word.")
        if self.method == "bipolar":
            return self._bipolar(c)
        chosen = set(electrodes(c))
        if not chosen:
            kinds = ", ".join(dict.fromkeys(c.kinds))
            raise ContractError(
                f"Reref needs electrodes (eeg, ecog, seeg, dbs, lfp, spikes); got kinds {kinds}. Set their kinds."
            )
        if not self.reference:
            raise ContractError('Reref needs a reference for method="channel"; got none. Write ("M1", "M2").')
        others = find(self, c, self.reference)
        return [(i, others if i in chosen else []) for i in range(len(c))]

    def _bipolar(self, c: Channels) -> list[Row]:
        if not self.pairs:
            raise ContractError('Reref needs pairs for method="bipolar"; got none. Write (("C3", "Cz"), ...).')
        rows: list[Row] = []
        for pair in self.pairs:
            found = [i for name in pair for i in find(self, c, (name,))]
            if len(found) != 2 or found[0] == found[1]:
                raise ContractError(
                    f"Reref needs two different channels in a pair; got {pair[0]!r} and {pair[1]!r}, which name "
                    f"{len(found)}: {', '.join(c.names[i] for i in found[:6])}. Name one channel on each side."
                )
            if c.units[found[0]] != c.units[found[1]]:
                raise ContractError(
                    f"Reref needs one unit in a pair; got {pair[0]!r} in {c.units[found[0]]} and {pair[1]!r} in "
                    f"{c.units[found[1]]}. Put Scale before it."
                )
            rows.append((found[0], [found[1]]))
        return rows

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given, events_ok=True)
        rows = self.rows(info)
        out = info.but(dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32))
        if self.method != "bipolar":
            return out
        c = info.channels
        middle = []
        for i, [j] in rows:
            a, b = c.positions[i], c.positions[j]
            middle.append(None if a is None or b is None else tuple((p + q) / 2 for p, q in zip(a, b, strict=True)))
        first = c.take([i for i, _ in rows])
        names = [f"{c.names[i]}-{c.names[j]}" for i, [j] in rows]
        return out.but(
            channels=Channels.of(names, first.kinds, first.units, middle, first.groups),  # type: ignore[arg-type]
            shape=(len(rows),),
        )

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._mix import mix

        rows = self.rows(info)
        out = self.describe(info)
        keep = np.array([i for i, _ in rows])
        row = np.concatenate([[0], np.cumsum([len(others) for _, others in rows])])
        other = np.array([j for _, others in rows for j in others], dtype=np.int64)
        return State((mix[out.dtype], (keep, row, other), Scratch(out.shape, out.dtype)))

    def step(self, state: State, block: Block) -> Block:
        mix, plan, scratch = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        mix(x, np.ascontiguousarray(block.valid) if masked else w, masked, *plan, y, w)
        return Block(y, block.start, w if masked else None, block.at)
