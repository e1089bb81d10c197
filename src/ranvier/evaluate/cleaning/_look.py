"""look: one pass over a recording that says how large, how slow, how spoilt by mains it is, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ranvier.channels import Pick
from ranvier.denoise import Integrity, LineNoise
from ranvier.evaluate.cleaning._blinks import Blinks, Eyes
from ranvier.evaluate.cleaning._measure import Measure
from ranvier.evaluate.cleaning._panes import Advance, Pane, block_size, pane_size, panes
from ranvier.evaluate.cleaning._profile import Profile
from ranvier.stage import Run
from ranvier.stream import Array, Recording

USUAL = (50.0, 60.0)  # mains, where the rate is too low to look for it anywhere else [Hz]


@dataclass(eq=False)
class Look:
    """What one pass finds.

    Parameters
    ----------
    names
        Of the electrodes, which `measure` has in this order.
    measure
        Levels, hops and spectrum of the electrodes.
    missing
        Numbers of each electrode that are no numbers.
    gaps
        Gaps in the index: where, and how long [samples].
    mains
        Frequency of the mains that `LineNoise` follows [Hz]; None where the rate is too low or the recording too short.
    over, hum
        How far it stands above its neighbourhood [dB], and its rms amplitude, an electrode each.
    blinks
        None where no channel near the eyes is known.
    """

    names: tuple[str, ...]
    measure: Measure
    missing: Array
    gaps: list[tuple[int, int]] = field(default_factory=list)
    mains: float | None = None
    over: Array = field(default_factory=lambda: np.empty(0))
    hum: Array = field(default_factory=lambda: np.empty(0))
    blinks: Blinks | None = None


def look(recording: Recording, known: Profile, advance: Advance) -> Look:
    """Go once through a recording; its electrodes are looked at."""
    info, n = recording.info, recording.n_samples
    entrance = Run(Integrity(), info)
    pick = Run(Pick(known.electrodes), entrance.info)
    eyes = Eyes(entrance.info, known)
    followers = _followers(pick, known.rate)
    found = Look(known.electrodes, Measure(pick.info, n), np.zeros(len(known.electrodes), np.int64))
    index = [info.channels.names.index(name) for name in known.electrodes]
    stop: list[int] = []

    def pieces() -> Iterator[Pane]:
        for chunk in recording.blocks(block_size(info)):
            if stop and chunk.start != stop[0]:
                found.gaps.append((stop[0], chunk.start - stop[0]))
            stop[:] = [chunk.stop]
            found.missing += (~(np.isfinite(chunk.data[:, index]) & chunk.valid[:, index])).sum(axis=0)
            whole = entrance.push(chunk)
            eyes.add(whole)
            block = pick.push(whole)
            for follower in followers:
                follower.step(block)
            yield Pane(block.start, block.data, block.valid, block.data, block.valid)
            advance(chunk.n)

    for pane in panes(pieces(), pane_size(pick.info)):
        found.measure.add(pane.before, pane.before_ok, pane.start)
    found.measure.close()
    found.blinks = eyes.found()
    _mains(found, followers)
    return found


def _followers(pick: Run, rate: float) -> list[Run]:
    """Return what follows the mains: anywhere from 45 to 65 Hz, else at 50 and at 60 Hz, where the rate allows it."""
    wide = LineNoise(harmonics=1)
    if rate > 2 * 66.5:
        return [Run(wide, pick.info)]
    return [Run(LineNoise(f, harmonics=1), pick.info) for f in USUAL if 2 * (f + 3) < rate]


def _mains(found: Look, followers: list[Run]) -> None:
    """Take the frequency that stands out most: the one that is followed, or else a nominal one."""
    tried = [f for f in USUAL if 2 * (f + 3) < float(found.measure.info.rate)]
    for follower in followers:
        state = follower.save()
        chosen = int(state["stage/chosen"][0])
        if chosen < 0:
            return
        tried.insert(0, float(state["stage/frequency"][chosen]))
    for frequency in tried:
        over, hum = found.measure.spectrum.line(frequency)
        if found.mains is None or np.nan_to_num(over).max() > np.nan_to_num(found.over).max():
            found.mains, found.over, found.hum = frequency, over, hum
