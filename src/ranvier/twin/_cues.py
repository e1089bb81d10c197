"""Cues: what a person is asked to do, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ranvier.errors import ConfigError
from ranvier.twin._chance import generator

PARADIGMS = {"mi": ("rest", "left", "right"), "ssvep": ("rest", "13Hz", "17Hz", "21Hz")}
_SHUFFLE = 1  # kind of chance


@dataclass(frozen=True, slots=True)
class Cue:
    """One request to a person.

    Parameters
    ----------
    onset, duration
        When it is shown, and for how long it is followed [s].
    intent
        ``rest``; ``left`` or ``right`` (imagine moving that hand); ``13Hz`` (look at the light that
        flickers so).
    """

    onset: float
    duration: float
    intent: str

    def __post_init__(self) -> None:
        if self.intent not in ("rest", "left", "right") and self.frequency <= 0:
            raise ConfigError(
                f"Cue needs the intent rest, left, right or a frequency such as '13Hz'; got {self.intent!r}. Name one."
            )
        if self.onset < 0 or self.duration <= 0:
            raise ConfigError(
                f"Cue needs onset >= 0 s and duration > 0 s; got {self.onset:g} s and {self.duration:g} s. Mend them."
            )

    @property
    def frequency(self) -> float:
        """Of the light looked at [Hz]; 0 where there is none."""
        try:
            return float(self.intent.removesuffix("Hz")) if self.intent.endswith("Hz") else 0.0
        except ValueError:
            return 0.0


def cued(
    intents: str | Sequence[str] = "ssvep",
    n_each: int = 8,
    *,
    duration: float = 4.0,
    pause: float = 2.0,
    lead: float = 3.0,
    seed: int = 0,
) -> tuple[Cue, ...]:
    """Return cues in random order, as often each, every intent once before any comes again.

    Parameters
    ----------
    intents
        ``ssvep`` (rest, 13, 17, 21 Hz), ``mi`` (rest, left, right), or a list of intents.
    n_each
        Cues of each.
    duration, pause, lead
        Of a cue, between two, and before the first [s]; pauses are up to 1 s longer, by chance.
    seed
        Of order and pauses.
    """
    if isinstance(intents, str):
        if intents not in PARADIGMS:
            raise ConfigError(f"cued needs {' or '.join(PARADIGMS)}, or a list of intents; got {intents!r}.")
        intents = PARADIGMS[intents]
    cues, at = [], lead
    for turn in range(n_each):
        chance = generator(seed, _SHUFFLE, turn)
        for i in chance.permutation(len(intents)):
            cues.append(Cue(at, duration, intents[i]))
            at += duration + pause + round(float(chance.random()), 2)
    return tuple(cues)
