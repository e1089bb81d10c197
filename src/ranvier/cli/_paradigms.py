"""What the demo can show: a task, the electrodes that see it, the pipeline that decodes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ranvier.stream import Trials
    from ranvier.twin import SimulatedSubject


@dataclass(frozen=True, kw_only=True)
class Paradigm:
    """A task and how it is decoded.

    Parameters
    ----------
    name
        Also that of the shipped pipeline.
    what
        In words.
    intents
        What a cue can ask for.
    channels
        Electrodes of the simulated subject; the first is the one whose signal is drawn.
    n_calibration
        Cues of each intent that the decoder is fitted on.
    sees
        How names of electrodes begin that see it, on other montages.
    tmin, tmax
        The part of a trial that counts [s from the cue].
    duration, pause
        Of a cue, and between two [s].
    """

    name: str
    what: str
    intents: tuple[str, ...]
    channels: tuple[str, ...]
    sees: tuple[str, ...]
    n_calibration: int
    tmin: float
    tmax: float
    duration: float
    pause: float

    def subject(self, n_each: int, seed: int) -> SimulatedSubject:
        """Return a simulated person who follows so many cues of each intent."""
        from ranvier.twin import SimulatedSubject, cued

        cues = cued(self.intents, n_each, duration=self.duration, pause=self.pause, seed=seed)
        return SimulatedSubject(cues=cues, seed=seed, channels=self.channels)

    def calibration(self, n_each: int, seed: int = 1) -> tuple[SimulatedSubject, Trials]:
        """Return a simulated person with trials to fit on."""
        subject = self.subject(n_each, seed)
        return subject, subject.trials(self.labels, self.tmin, self.tmax)

    @property
    def labels(self) -> dict[str, str]:
        """Event label -> class."""
        return {f"cue/{i}": i for i in self.intents}

    @property
    def trial_length(self) -> float:
        """From one cue to the next, on average [s]."""
        return self.duration + self.pause + 0.5


PARADIGMS: dict[str, Paradigm] = {
    "ssvep": Paradigm(
        name="ssvep",
        what="looking at one of three flickering lights, or at none",
        intents=("rest", "13Hz", "17Hz", "21Hz"),
        channels=("Oz", "O1", "O2", "PO3", "POz", "PO4", "PO7", "PO8"),
        sees=("O", "PO", "P7", "P8"),
        n_calibration=5,
        tmin=1.0,
        tmax=4.0,
        duration=4.0,
        pause=1.0,
    ),
    "mi": Paradigm(
        name="mi",
        what="imagining to move the left or the right hand",
        intents=("left", "right"),
        channels=("C3", "C4", "FC3", "FCz", "FC4", "C5", "C1", "Cz", "C2", "C6", "CP3", "CPz", "CP4"),
        sees=("FC", "C", "CP"),
        n_calibration=16,
        tmin=1.0,
        tmax=4.0,
        duration=4.0,
        pause=1.0,
    ),
}


def guess(recording: Any) -> str:
    """Return the paradigm that a recording's electrodes are meant for: over the hands, or over the occiput."""
    names = {n.upper() for n in recording.info.channels.names}
    return "mi" if {"C3", "C4"} <= names else "ssvep"


def electrodes(recording: Any, paradigm: str) -> tuple[str, ...]:
    """Return the EEG channels that see a task; all of them where their names do not tell."""
    c = recording.info.channels
    eeg = [name for name, kind in zip(c.names, c.kinds, strict=True) if kind == "eeg"]
    seen = [n for n in eeg if any(_place(n, s) for s in PARADIGMS[paradigm].sees)]
    return tuple(seen if len(seen) >= 3 else eeg)


def _place(name: str, begin: str) -> bool:
    """Say whether a name is letters of the 10-10 system, and then a number or z."""
    rest = name.upper().removeprefix(begin)
    return name.upper().startswith(begin) and (rest == "Z" or rest.isdigit())
