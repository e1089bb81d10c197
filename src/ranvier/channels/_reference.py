"""CommonReference: take away what all electrodes have in common."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, final

import numpy as np

from ranvier.channels._names import ELECTRODES, electrodes, find
from ranvier.errors import ContractError
from ranvier.kernels import Level
from ranvier.stage import LevelStage, Scratch, State, Tags, need_signal
from ranvier.stream import Array, Block, Info, StreamInfo, is_all_valid


@final
@dataclass(frozen=True, eq=False)
class CommonReference(LevelStage):
    """Take the mean (or median) of the electrodes away from each of them, at every instant.

    Channels of the kinds eeg, ecog, seeg, dbs, lfp and spikes take part; all others (eog, emg, trigger,
    motion, misc ...) are passed on as they are.

    Parameters
    ----------
    method
        ``mean``, or ``median`` (not moved by a few wild electrodes).
    by
        ``all`` electrodes together, or each ``group`` of the stream (headstage, shank) alone.
    exclude
        Electrodes that do not contribute, by name or pattern; the reference is taken away from them too.
    least
        How many valid electrodes a reference needs; with fewer, nothing of that group is valid.

    Notes
    -----
    *In*: signal ``(n,)``, or one sample an event. *Out*: the same channels and units; float32 (float64
    for float64). At each instant the reference is that of the electrodes valid at that instant; a channel
    is valid where it was valid and its reference has at least `least` electrodes. Nothing is remembered, so
    nothing fades when an electrode is lost: the mean then steps by its offset over their number (behind a
    high-pass there is none; ``RobustReference("none")`` is this mean with a fade), the median by no more than half of
    the gap to the next value in order, whatever the lost one was. Delay 0, support 1, settle 0. Portable: the mean's
    order of summation is defined (`ranvier.kernels._reference`).

    Raises
    ------
    ContractError
        A group has fewer than `least` electrodes, or an excluded name is unknown.

    References
    ----------
    Ludwig et al., J Neurophysiol 101 (2009) 1679-1689 (common average reference for spikes).
    """

    method: Literal["mean", "median"] = "mean"
    by: Literal["all", "group"] = "all"
    exclude: tuple[str, ...] = ()
    least: int = 2

    @property
    def tags(self) -> Tags:  # type: ignore[override]
        mean = self.method == "mean"
        return Tags(exactness="portable", linear=mean, permutable=not mean and not self.exclude)

    def _groups(self, info: StreamInfo) -> tuple[list[int], list[int]]:
        """Return the group whose reference each channel helps to make, and the one taken from it; -1 for none."""
        if self.method not in ("mean", "median") or self.by not in ("all", "group"):
            raise ContractError(
                f"CommonReference needs method 'mean' or 'median' and by 'all' or 'group'; got {self.method!r} and "
                f"{self.by!r}. Mend the word."
            )
        if self.least < 2:
            raise ContractError(f"CommonReference needs least >= 2 electrodes; got {self.least}. Take 2 or more.")
        c = info.channels
        taken = [-1] * len(c)
        names = list(dict.fromkeys(c.groups[i] for i in electrodes(c))) if self.by == "group" else [""]
        for i in electrodes(c):
            taken[i] = names.index(c.groups[i]) if self.by == "group" else 0
        if not names:
            raise ContractError(
                f"CommonReference needs electrodes ({', '.join(sorted(ELECTRODES))}); got channels of the kinds "
                f"{', '.join(dict.fromkeys(c.kinds))}. Set their kinds, or leave this stage out."
            )
        units = dict.fromkeys(c.units[i] for i in electrodes(c))
        if len(units) > 1:
            raise ContractError(
                f"CommonReference needs electrodes in one unit; got {', '.join(units)}. Put Scale before it."
            )
        out = set(find(self, c, self.exclude))
        given = [-1 if i in out else g for i, g in enumerate(taken)]
        for g, name in enumerate(names):
            if given.count(g) < self.least:
                where = f" in group {name!r}" if self.by == "group" else ""
                raise ContractError(
                    f"CommonReference needs at least {self.least} electrodes{where}; got {given.count(g)} of "
                    f"{len(c)} channels. Check their kinds and groups, exclude fewer, or reference by 'all'."
                )
        return given, taken

    def describe(self, *infos: Info) -> StreamInfo:
        (stream,) = infos
        info = need_signal(self, stream, events_ok=True)
        self._groups(info)
        return info.but(dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32))

    def level(self, info: StreamInfo) -> Level | None:
        given, taken = self._groups(info)
        size = info.n_channels // (max(taken) + 1)
        regular = given == taken == [c // size for c in range(info.n_channels)]
        return Level(size, self.least) if regular and self.method == "mean" else None

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._reference import means, subtract

        given, taken = self._groups(info)
        out = self.describe(info)
        spans = _spans(given)
        level = _medians(out, max(taken) + 1) if self.method == "median" else means[out.dtype]
        return State(
            (level, subtract[out.dtype], spans[spans[:, 0] >= 0], _spans(taken), max(taken) + 1, _scratch(out))
        )

    def step(self, state: State, block: Block) -> Block:
        level_of, subtract, given, taken, groups, scratch = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else w
        level, count = np.empty((block.n, groups), y.dtype), np.zeros((block.n, groups), np.int64)
        level_of(x, ok, masked, given, level, count)
        subtract(x, ok, masked, taken, level, count, self.least, y, w)
        return Block(y, block.start, w if masked else None, block.at)


def _scratch(out: StreamInfo) -> Scratch:
    return Scratch(out.shape, out.dtype)


def _spans(group: list[int]) -> Array:
    """Return stretches of neighbours of the same group: rows of (group, first, after the last)."""
    rows, at = [], 0
    for g, members in groupby(group):
        n = len(list(members))
        rows.append((g, at, at + n))
        at += n
    return np.array(rows, dtype=np.int64)


def _medians(out: StreamInfo, groups: int) -> Any:
    """Return what works out medians with the arguments of `means`."""
    from ranvier.kernels._median import medians

    whole = np.dtype(f"i{out.dtype.itemsize}")
    middle = medians[whole]
    keys = np.zeros(out.n_channels, whole)

    def level_of(x: Array, ok: Array, masked: bool, given: Array, level: Array, count: Array) -> None:
        pair = np.empty((len(x), groups, 2), out.dtype)
        middle(x.view(whole), ok, masked, given, keys, pair.reshape(len(x), 2 * groups).view(whole), count)
        level[...] = (pair[..., 0] + pair[..., 1]) / 2

    return level_of
