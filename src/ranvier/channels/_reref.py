"""Reref: bipolar pairs, any named reference, small Laplacian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np

from ranvier.channels._names import electrodes, find
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, Tags, need_signal
from ranvier.stream import Block, Channels, Info, StreamInfo, is_all_valid

Row = tuple[int, list[tuple[int, float]]]  # a channel, and what is averaged and taken from it: (channel, weight)


@final
@dataclass(frozen=True, eq=False)
class Reref(BlockStage):
    """Measure each electrode against others: a partner, a named reference, or its neighbours.

    Parameters
    ----------
    method
        ``bipolar``: the first minus the second of each of `pairs`; only these come out, named ``C3-Cz``,
        placed half-way between the two.
        ``channel``: every electrode (eeg, ecog, seeg, dbs, lfp, spikes) minus the mean of `reference`.
        ``laplacian``: every electrode minus the mean of its nearest electrodes of the same kind.
    pairs
        Channel names, for ``bipolar``.
    reference
        One or several channel names or patterns, for ``channel``: ``("M1", "M2")``. They stay in the stream.
    neighbours
        How many nearest electrodes, for ``laplacian``.
    weights
        ``mean``: neighbours count alike. ``distance``: each by the inverse of its distance.

    Notes
    -----
    *In*: signal ``(n,)``, or one sample an event. *Out*: the pairs; or the same channels, those that are no
    electrodes as they were; float32 (float64 for float64). A number is valid where all that it was made of
    is valid; of a Laplacian, invalid neighbours are left out and the weights of the others brought to 1, so
    that one valid neighbour is enough. Delay 0, support 1, settle 0. Portable.

    Raises
    ------
    ContractError
        A name is unknown, an electrode has no position, or what a method needs is missing.

    Examples
    --------
    >>> from ranvier.stream import Channels, StreamInfo
    >>> info = StreamInfo.signal(250, Channels.of(["C3", "Cz", "C4"]))
    >>> Reref("bipolar", pairs=(("C3", "Cz"), ("C4", "Cz"))).describe(info).channels.names
    ('C3-Cz', 'C4-Cz')

    References
    ----------
    Hjorth, Electroencephalogr Clin Neurophysiol 39 (1975) 526-530 (Laplacian from neighbours).
    McFarland et al., Electroencephalogr Clin Neurophysiol 103 (1997) 386-394 (small Laplacian for control).
    """

    method: Literal["bipolar", "channel", "laplacian"]
    pairs: tuple[tuple[str, str], ...] = ()
    reference: tuple[str, ...] = ()
    neighbours: int = 4
    weights: Literal["mean", "distance"] = "mean"

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True)

    def rows(self, info: StreamInfo) -> list[Row]:
        """Return for each channel that comes out where it starts from and what is taken away."""
        c = info.channels
        if self.method == "bipolar":
            return self._bipolar(c)
        chosen = set(electrodes(c))
        if not chosen:
            kinds = ", ".join(dict.fromkeys(c.kinds))
            raise ContractError(
                f"Reref needs electrodes (eeg, ecog, seeg, dbs, lfp, spikes); got kinds {kinds}. Set their kinds."
            )
        if self.method == "channel":
            if not self.reference:
                raise ContractError('Reref needs a reference for method="channel"; got none. Write ("M1", "M2").')
            others = [(i, 1.0) for i in find(self, c, self.reference)]
            return [(i, others if i in chosen else []) for i in range(len(c))]
        if self.method != "laplacian" or self.weights not in ("mean", "distance"):
            raise ContractError(
                "Reref needs method 'bipolar', 'channel' or 'laplacian' and weights 'mean' or 'distance'; "
                f"got {self.method!r} and {self.weights!r}. Mend the word."
            )
        return [(i, self._near(c, i) if i in chosen else []) for i in range(len(c))]

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
            rows.append((found[0], [(found[1], 1.0)]))
        return rows

    def _near(self, c: Channels, i: int) -> list[tuple[int, float]]:
        alike = [j for j, kind in enumerate(c.kinds) if kind == c.kinds[i]]
        lost = [c.names[j] for j in alike if c.positions[j] is None]
        if lost:
            raise ContractError(
                f"Reref needs positions [m] for a Laplacian; got none for {', '.join(lost[:6])} ({len(lost)} of "
                f"{len(alike)}). Add a montage, or leave them out with Pick."
            )
        if not 1 <= self.neighbours < len(alike):
            raise ContractError(
                f"Reref needs 1 <= neighbours < {len(alike)} (electrodes of kind {c.kinds[i]!r}); got "
                f"{self.neighbours}. Take 4 if in doubt."
            )
        where = np.array([c.positions[j] for j in alike], dtype=float)
        apart = np.round(np.linalg.norm(where - where[alike.index(i)], axis=1), 7)  # ties are ties, to 0.1 um
        order = [k for k in np.argsort(apart, kind="stable") if alike[k] != i][: self.neighbours]
        if self.weights == "distance" and apart[order[0]] == 0:
            raise ContractError(
                f"Reref needs electrodes at different places; got {c.names[i]} and {c.names[alike[order[0]]]} at one. "
                'Mend the positions, or take weights="mean".'
            )
        return [(alike[k], 1.0 if self.weights == "mean" else float(1 / apart[k])) for k in order]

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given, events_ok=True)
        rows = self.rows(info)
        out = info.but(dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32))
        if self.method != "bipolar":
            return out
        c = info.channels
        middle = []
        for i, [(j, _)] in rows:
            a, b = c.positions[i], c.positions[j]
            middle.append(None if a is None or b is None else tuple((p + q) / 2 for p, q in zip(a, b, strict=True)))
        first = c.take([i for i, _ in rows])
        names = [f"{c.names[i]}-{c.names[j]}" for i, [(j, _)] in rows]
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
        other = np.array([j for _, others in rows for j, _ in others], dtype=np.int64)
        weight = np.array([w for _, others in rows for _, w in others], dtype=out.dtype)
        return State(
            (mix[out.dtype], (keep, row, other, weight, self.method != "laplacian"), Scratch(out.shape, out.dtype))
        )

    def step(self, state: State, block: Block) -> Block:
        mix, plan, scratch = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        mix(x, np.ascontiguousarray(block.valid) if masked else w, masked, *plan, y, w)
        return Block(y, block.start, w if masked else None, block.at)
