"""SimulatedSubject: the EEG of a person who follows cues, the same bits however it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError
from ranvier.stream import Block, Channels, Entities, EventInfo, Events, StreamInfo, Trials
from ranvier.twin._chance import Coloured, generator, pink, rhythm
from ranvier.twin._cues import Cue, cued
from ranvier.twin._head import RADIUS, direction, topography
from ranvier.twin._person import AFTERMATH, RHYTHMS, Person, follow

Floats = npt.NDArray[np.float64]
MONTAGE = tuple("Fp1 Fp2 F3 Fz F4 C3 Cz C4 P3 Pz P4 PO3 PO4 O1 Oz O2".split())
REFERENCE = ("TP9", "TP10")
AVERAGE = Person()
_BRAIN, _SKIN, _BODY, _BLINK = 3, 4, 5, 6  # kinds of chance
_SOURCES = 24  # of the background
_LSB = 0.02235  # ADS1299, gain 24 [uV]
_AMPLIFIER = 0.14  # its noise at 250 samples/s [uV rms]
_OFFSET = 5000.0  # spread of the half-cell potentials [uV]


@dataclass(frozen=True, eq=False, kw_only=True)
class SimulatedSubject:
    """EEG of a simulated person who follows cues: a `Recording` that is made as it is read.

    Each second is a pure function of the parameters and of its number, so that any block size, any
    start and any order of reading give the same bits; and nothing depends on cues yet to come.

    Parameters
    ----------
    cues
        What the person is asked to do; see `cued`.
    seed
        Of the person and of everything that happens by chance.
    rate
        Samples per second, a whole number of at least 64 [Hz].
    channels
        Electrodes of the 10-10 system, against linked mastoids.
    person
        Amplitudes and habits.
    mains
        Frequency of the mains [Hz].
    hum
        Amplitude of the mains, in the middle of the channels [uV].
    skin
        1/f noise of each electrode [uV rms].

    Notes
    -----
    Potentials are those of dipoles in a head of four shells (`twin._head`): 24 of 1/f background,
    three of alpha, mu and beta under C3 and C4, two that a flickering light drives. Blinks, mains
    through unequal electrode impedances, electrode offsets and noise are added, and all is rounded
    as an ADS1299 does (TI SBAS499C). The numbers are plausible, not those of any one person.

    Examples
    --------
    >>> subject = SimulatedSubject(cues=cued("mi", n_each=2), seed=1)
    >>> subject.read(0, 250).data.shape
    (250, 16)
    """

    cues: tuple[Cue, ...] = cued()
    seed: int = 0
    rate: int = 250
    channels: tuple[str, ...] = MONTAGE
    person: Person = AVERAGE
    mains: float = 50.0
    hum: float = 3.0
    skin: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.rate, bool) or not isinstance(self.rate, int) or self.rate < 64:
            raise ContractError(f"SimulatedSubject needs a whole rate >= 64 Hz; got {self.rate!r} Hz. Take 250.")
        if any(b.onset < a.onset for a, b in zip(self.cues, self.cues[1:], strict=False)):
            raise ContractError("SimulatedSubject needs cues in the order of their onsets; got others. Sort them.")
        object.__setattr__(self, "_cached", lru_cache(maxsize=4)(self._second))

    # what it is ---------------------------------------------------------------------------------
    @cached_property
    def info(self) -> StreamInfo:
        """Description of the signal, in uV."""
        places = [tuple(float(x) for x in direction(c) * RADIUS) for c in self.channels]
        return StreamInfo.signal(self.rate, Channels.of(self.channels, "eeg", "uV", places), name="simulated")  # type: ignore[arg-type]

    @property
    def entities(self) -> Entities:
        return Entities(
            subject=f"simulated{self.seed}", device="simulated ADS1299", reference="+".join(REFERENCE), frame="head"
        )

    @property
    def n_samples(self) -> int:
        """Until `AFTERMATH` after the last cue."""
        end = max((c.onset + c.duration for c in self.cues), default=0.0)
        return round((end + AFTERMATH) * self.rate)

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(f"cue/{c.intent}" for c in self.cues))

    @property
    def event_info(self) -> EventInfo:
        return EventInfo.of(self.info, dict(enumerate(self._labels)), name="cues")

    @cached_property
    def events(self) -> Events:
        """Cues, as events ``cue/<intent>``."""
        codes = [self._labels.index(f"cue/{c.intent}") for c in self.cues]
        return Events.at([round(c.onset * self.rate) for c in self.cues], codes, stop=self.n_samples)

    def trials(self, labels: str | Sequence[str] | dict[str, str], tmin: float, tmax: float, group: str = "") -> Trials:
        """Return the trials of the cues whose label fits (globs; a mapping renames), `tmin` to `tmax` [s] from each."""
        return Trials.from_events(self.events, self.event_info, labels, tmin=tmin, tmax=tmax, group=group)

    # what it gives ------------------------------------------------------------------------------
    def read(self, start: int, stop: int) -> Block:
        """Return samples `start` to `stop` in uV; beyond the last cue the person rests for ever."""
        if not 0 <= start <= stop:
            raise ContractError(f"read needs 0 <= start <= stop; got start={start}, stop={stop}. Mend them.")
        n = self.rate
        seconds: list[Any] = [self._cached(k) for k in range(start // n, -(-stop // n))]  # type: ignore[attr-defined]
        if not seconds:
            return Block(np.empty((0, len(self.channels)), np.float32), start)
        first = start // n * n
        return Block(np.concatenate(seconds)[start - first : stop - first], start)

    def blocks(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        """Yield the signal from sample `start` to `stop` in blocks of `size` samples."""
        if size < 1:
            raise ContractError(f"blocks needs size >= 1 sample; got {size}. Ask for at least one.")
        end = self.n_samples if stop is None else stop
        for a in range(start, end, size):
            yield self.read(a, min(a + size, end))

    # how it is made -----------------------------------------------------------------------------
    @cached_property
    def _body(self) -> tuple[Coloured, Coloured, Floats, Floats, Floats, Floats, Floats]:
        """Return what stays the same: noises, patterns of the sources, blinks, hum and offsets over the channels."""
        n, length = self.rate, 2 * self.rate + 1
        chance = generator(self.seed, _BODY, 0)
        slow = pink(length)
        responses = [slow] * _SOURCES + [rhythm(length, f, m, n) for _, f, m, _, _ in RHYTHMS]
        brain = Coloured(np.array(responses), n, self.seed, _BRAIN)
        skin = Coloured(np.array([slow] * len(self.channels)), n, self.seed, _SKIN)

        spread = chance.standard_normal((_SOURCES, 3))
        spread[:, 2] = np.abs(spread[:, 2])
        spread /= np.linalg.norm(spread, axis=1, keepdims=True)
        under = np.array([direction(r[0]) for r in RHYTHMS] + [direction("Oz"), direction("POz")])
        places = np.concatenate([spread * 0.75, under * 0.8]) * RADIUS
        moments = np.concatenate([chance.standard_normal((_SOURCES, 3)), under])
        patterns = topography(places, moments, self.channels, REFERENCE)
        everyone = np.sqrt((patterns[:_SOURCES] ** 2).sum(0).mean())
        amplitudes = [getattr(self.person, r[3]) for r in RHYTHMS]
        patterns[:_SOURCES] *= self.person.background / everyone
        patterns[_SOURCES : _SOURCES + len(RHYTHMS)] *= np.array(amplitudes)[:, None]

        where = np.array([direction(c) for c in self.channels])
        eyes = where @ np.array([0.0, 0.94, -0.34])  # the eyes: in front, 20 degrees below the forehead's rim
        blink = np.exp(-np.degrees(np.arccos(np.clip(eyes, -1, 1))) / 25.0)
        blink *= self.person.blink / np.exp(-25.0 / 25.0)
        hum = self.hum * np.sqrt(2) * chance.exponential(1.4427, len(self.channels))
        offset = _OFFSET * chance.standard_normal(len(self.channels))
        return brain, skin, patterns, blink, hum, offset, chance.uniform(0, 2 * np.pi, 1)

    def _second(self, k: int) -> npt.NDArray[np.float32]:
        """Return second `k`: always whole, in arrays of the same size, so always with the same bits."""
        brain, skin, patterns, blink, hum, offset, phase = self._body
        n = self.rate
        index = np.arange(k * n, (k + 1) * n)
        t = index / n
        near = [c for c in self.cues if c.onset < k + 1 and c.onset + c.duration + AFTERMATH > k]
        gains, flicker = follow(self.person, near, t, self.seed, n)
        sources = brain.second(k)
        sources[:, _SOURCES:] *= gains
        x = np.concatenate([sources, flicker], axis=1) @ patterns
        x += self._blinks(k, t)[:, None] * blink
        cycle = (index * self.mains / n) % 1.0
        x += np.sin(2 * np.pi * cycle + phase)[:, None] * hum
        x += self.skin * skin.second(k) + offset
        x += _AMPLIFIER * generator(self.seed, _SKIN, -k - 1).standard_normal(x.shape)
        y = (np.round(x / _LSB) * _LSB).astype(np.float32)
        y.flags.writeable = False
        return y

    def _blinks(self, k: int, t: Floats) -> Floats:
        """Return the lids' movement: one blink at most begins in a second, and takes 0.35 s."""
        total = np.zeros(len(t))
        for s in (k - 1, k):
            begins, at, strength = generator(self.seed, _BLINK, s).random(3)
            if begins < self.person.blinks / 60:
                u = np.clip((t - s - at) / 0.35, 0.0, 1.0)
                total += (0.7 + 0.6 * strength) * 17.537 * u**1.5 * (1 - u) ** 3  # 1 at its peak
        return total
