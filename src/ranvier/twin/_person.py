"""Person: how strong a person's rhythms are, and how they follow what the person means to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ranvier.twin._chance import generator
from ranvier.twin._cues import Cue

Floats = npt.NDArray[np.float64]
_REACTION = 2  # kind of chance
AFTERMATH = 3.0  # how long after its end a cue is still felt [s]
# of each rhythm: electrode that it lies under, frequency [Hz], memory [s], amplitude (a name below), opposite hand
RHYTHMS = (
    ("Oz", 10.0, 0.25, "alpha", ""),
    ("PO3", 9.6, 0.25, "alpha", ""),
    ("PO4", 10.3, 0.25, "alpha", ""),
    ("C3", 11.0, 0.20, "mu", "right"),
    ("C4", 11.0, 0.20, "mu", "left"),
    ("C3", 21.0, 0.10, "beta", "right"),
    ("C4", 21.0, 0.10, "beta", "left"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Amplitudes and habits of a simulated person.

    Parameters
    ----------
    background, alpha, mu, beta
        Root mean square of the 1/f activity and of each rhythm's source where it is strongest [uV].
    flicker
        Amplitude of the fundamental that a flickering light evokes, where it is strongest [uV].
    desynchronisation
        Range of the part of mu and beta power that vanishes over the opposite hemisphere while a
        movement is imagined; a quarter of it on the same side.
    latency
        From cue to answer [s], with a spread of a fifth of it.
    delay
        From the light to the cortex [s].
    blinks
        A minute.
    blink
        Amplitude at the forehead [uV].
    skill
        1: as above; 0: nothing of what is meant reaches the electrodes.

    References
    ----------
    Pfurtscheller, Lopes da Silva, Clin. Neurophysiol. 110 (1999) 1842: desynchronisation.
    Norcia et al., J. Vision 15(6) (2015) 4: steady-state responses, harmonics, delays.
    """

    background: float = 8.0
    alpha: float = 5.0
    mu: float = 6.0
    beta: float = 3.0
    flicker: float = 2.0
    desynchronisation: tuple[float, float] = (0.2, 0.6)
    latency: float = 0.5
    delay: float = 0.14
    blinks: float = 12.0
    blink: float = 120.0
    skill: float = 1.0


def rise(t: Floats, begin: float, width: float) -> Floats:
    """Return a smooth step from 0 to 1 that begins at `begin` and takes `width` [s]."""
    x = np.clip((t - begin) / width, 0.0, 1.0)
    return x * x * (3 - 2 * x)


def follow(person: Person, cues: Sequence[Cue], t: Floats, seed: int, rate: int) -> tuple[Floats, Floats]:
    """Return what the cues do at times `t` [s]: a gain for each rhythm, and the flicker response.

    At any time only cues that have come count, and the chance of each hangs on its onset alone.

    Returns
    -------
    Gains ``(n, len(RHYTHMS))``; responses ``(n, 2)`` of two sources, the second 10 ms later.
    """
    gains, flicker = np.ones((len(t), len(RHYTHMS))), np.zeros((len(t), 2))
    for cue in cues:
        chance = generator(seed, _REACTION, round(cue.onset * rate))
        reaction = cue.onset + person.latency * float(np.clip(1 + 0.2 * chance.standard_normal(), 0.5, 1.5))
        depth = person.skill * float(chance.uniform(*person.desynchronisation))
        vigour = person.skill * float(np.exp(0.25 * chance.standard_normal()))
        end = cue.onset + cue.duration
        effort = rise(t, reaction, 0.5) * (1 - rise(t, end + 0.3, 0.5))
        if cue.frequency:
            flicker += vigour * effort[:, None] * _response(person, cue.frequency, t)
        for i, (_, _, _, name, hand) in enumerate(RHYTHMS):
            if name == "alpha" and cue.frequency:  # looking at something blocks alpha
                gains[:, i] *= np.sqrt(1 - 0.3 * person.skill * effort)
            elif hand and cue.intent in ("left", "right"):
                part = depth if hand == cue.intent else depth / 4
                rebound = rise(t, end + 0.8, 0.4) * (1 - rise(t, end + 1.6, 1.0)) if name == "beta" else 0.0
                gains[:, i] *= np.sqrt(1 - part * effort) * (1 + 0.5 * part * rebound)
    return gains, flicker


def _response(person: Person, frequency: float, t: Floats) -> Floats:
    """Return fundamental and two harmonics, locked to a light that always flickers."""
    lag = t[:, None] - person.delay - np.array([0.0, 0.01])
    waves = [a * np.cos(2 * np.pi * h * frequency * lag) for h, a in ((1, 1.0), (2, 0.5), (3, 0.25))]
    return np.asarray(person.flicker * sum(waves))
