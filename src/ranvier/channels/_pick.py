"""Pick: keep some channels, in the order asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from ranvier.channels._names import find
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, Tags, need_signal
from ranvier.stream import Block, Info, StreamInfo, all_valid, is_all_valid


@final
@dataclass(frozen=True, eq=False)
class Pick(BlockStage):
    """Keep channels by name, kind, pattern or index, in the order asked for.

    Parameters
    ----------
    what
        One of these, or a tuple of them: a name (``"C3"``), a kind (``"eeg"``), a pattern over names
        (``"O*"``), an index (``0``, ``-1``). A leading ``-`` leaves channels out (``"-EOG*"``), whether or
        not they are there; where nothing else is asked for, all others are kept. Each channel comes once.

    Notes
    -----
    *In*: signal ``(n,)``, or one sample an event. *Out*: the channels asked for, all else unchanged.
    Nothing is copied where they are neighbours in rising order. Delay 0, support 1, settle 0. Portable.

    Raises
    ------
    ContractError
        A channel asked for is not there (the message lists near names), or none is left.

    Examples
    --------
    >>> from ranvier.stream import Channels, StreamInfo
    >>> info = StreamInfo.signal(250, Channels.of(["C3", "Cz", "C4", "EOG1"], ["eeg"] * 3 + ["eog"]))
    >>> Pick(("eeg", "-Cz")).describe(info).channels.names
    ('C3', 'C4')
    """

    what: str | int | tuple[str | int, ...]

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True)

    def __post_init__(self) -> None:
        if isinstance(self.what, str | int):
            object.__setattr__(self, "what", (self.what,))

    def index(self, info: StreamInfo) -> list[int]:
        """Return which channels are kept, in order."""
        wanted = self.what if isinstance(self.what, tuple) else (self.what,)
        found = find(self, info.channels, wanted)
        if not found:
            raise ContractError(
                f"Pick needs at least one channel to keep; got {', '.join(map(repr, wanted)) or 'nothing'}, which "
                f"leaves none of {info.n_channels}. Ask for a name, kind or pattern."
            )
        return found

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given, events_ok=True)
        index = self.index(info)
        return info.but(channels=info.channels.take(index), shape=(len(index),))

    def prepare(self, info: StreamInfo) -> State:
        index = self.index(info)
        if index == list(range(index[0], index[-1] + 1)):
            return State((slice(index[0], index[-1] + 1), None))
        return State((np.array(index), Scratch((len(index),), info.dtype)))

    def step(self, state: State, block: Block) -> Block:
        index, scratch = state.design
        if scratch is None:
            return Block(block.data[:, index], block.start, block.valid[:, index], block.at)
        y, w = scratch.take(block.n)
        np.take(block.data, index, axis=1, out=y, mode="clip")
        if is_all_valid(block.valid):
            return Block(y, block.start, all_valid(y.shape), block.at)
        np.take(block.valid, index, axis=1, out=w, mode="clip")
        return Block(y, block.start, w, block.at)
