"""Montage: where electrodes are, from the names of their sites."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, final

from ranvier.errors import ContractError
from ranvier.stage import BlockStage, State, Tags, need_signal
from ranvier.stream import Block, Channels, Info, StreamInfo
from ranvier.stream._channels import Position

TABLE = Path(__file__).with_name("sites_1005.csv")
LONGEST = 64  # letters of a name that may hold a site: what a file says is longer takes the square of its length
AROUND = re.compile(r"^(eeg[ _-]+)?(.+?)([ _-]+(ref|le|re|ar|avg|a1|a2|m1|m2|a1a2|gnd))?[.\s]*$")


@lru_cache(maxsize=1)
def sites() -> dict[str, Position]:
    """Return the places [m] of the sites of the 10-05 system on an average head, by name in small letters."""
    _, *rows = TABLE.read_text(encoding="ascii").split()
    out: dict[str, Position] = {}
    for row in rows:
        name, *place = row.split(",")
        x, y, z = (round(float(v) * 1e-3, 7) for v in place)
        out[name.lower()] = (x, y, z)
    return out


def site_of(name: str) -> str:
    """Return what a channel's name says of its site: "EEG T7-REF" and "T7.." are both "t7"."""
    found = AROUND.match(name.strip().lower()) if len(name) <= LONGEST else None
    return found.group(2) if found else name.lower()


@final
@dataclass(frozen=True, eq=False)
class Montage(BlockStage):
    """Say where EEG electrodes are, by the names of their sites in the 10-05 system (10-20 and 10-10 are in it).

    `Interpolate`, `RobustReference`, `Laplacian`, `LocalReference` and the judge of channels use the places. An average
    head is not this head: a place is off by about 1 cm; what was measured is better, and kept.

    Parameters
    ----------
    sites
        The site of each electrode, in the order of the stream's; empty where the channels are called after them
        (``"Fc5."``, ``"EEG T3-REF"`` will do).
    places
        Their places instead ``((x, y, z), ...)`` [m]; x to the right ear, y to the nose, z up.

    Notes
    -----
    *In*: signal ``(n,)``, or one sample an event. *Out*: the same, to the bit; only the description has places. They
    are given to channels of kind eeg that have none. Delay 0, support 1, settle 0. Portable.

    Raises
    ------
    ContractError
        A name is no site, or `sites` or `places` are not one each.

    References
    ----------
    Oostenveld & Praamstra, Clin. Neurophysiol. 112 (2001) 713. The places are those of MNE's ``colin27_1005``, in head
    coordinates, to 0.1 mm.

    Examples
    --------
    >>> from ranvier.stream import Channels, StreamInfo
    >>> Montage().describe(StreamInfo.signal(250, Channels.of(["Cz"]))).channels.positions
    ((-0.0014, 0.0276, 0.1402),)
    """

    sites: tuple[str, ...] = ()
    places: tuple[tuple[float, float, float], ...] = ()

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True)

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given, events_ok=True)
        c = info.channels
        eeg = [i for i, kind in enumerate(c.kinds) if kind == "eeg"]
        for what in ("sites", "places"):
            if (given := getattr(self, what)) and len(given) != len(eeg):
                raise ContractError(
                    f"Montage needs one of {what} for each of the {len(eeg)} channels of kind eeg; got {len(given)}. "
                    "Put Pick('eeg') before it to see which they are."
                )
        names = self.sites or [c.names[i] for i in eeg]
        found = self.places or [sites().get(site_of(n)) for n in names]
        where = list(c.positions)
        for i, place in zip(eeg, found, strict=True):
            where[i] = where[i] or place
        lost = [n for i, n in zip(eeg, names, strict=True) if where[i] is None]
        if lost or not eeg:
            got = f"{', '.join(lost[:6])} ({len(lost)} of {len(eeg)})" if eeg else f"kinds {', '.join(set(c.kinds))}"
            raise ContractError(
                f"Montage needs channels of kind eeg that are named after sites of the 10-05 system; got {got}. "
                "Give sites= or places=, or leave them out with Pick."
            )
        return info.but(channels=Channels.of(c.names, c.kinds, c.units, where, c.groups))

    def prepare(self, info: StreamInfo) -> State:
        return State(None)

    def step(self, state: State, block: Block) -> Block:
        return block
