"""Plan of a demo: whom to decode, what to learn from, and where to go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ranvier.errors import ConfigError

if TYPE_CHECKING:
    from ranvier.stream import Recording, Trials

LEARN = 0.5  # part of a recording's trials that the decoder learns from


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """Whom to decode, from what to learn, and where to go on.

    Parameters
    ----------
    title, paradigm
        In words; and the shipped pipeline.
    recipe
        What is fitted.
    earlier, training
        What is learned from: recordings (the last may be the beginning of the one that is decoded), their trials.
    recording, trials
        What is decoded, and what is asked there.
    start, stop
        The part that is decoded [samples].
    """

    title: str
    paradigm: str
    recipe: Any
    earlier: list[Recording]
    training: Trials
    recording: Recording
    trials: Trials
    start: int
    stop: int

    @property
    def learned(self) -> float:
        """How much is learned from [s]."""
        return sum(r.n_samples / float(r.info.rate) for r in self.earlier)

    @property
    def n_electrodes(self) -> int:
        """How many channels the pipeline takes of the recording."""
        from ranvier.channels import Pick

        info = self.recording.info
        picks = [s for s in self.recipe.steps if isinstance(s, Pick)]
        return picks[0].describe(info).n_channels if picks else info.n_channels


def simulated(name: str, seconds: float, seed: int) -> Plan:
    """Return a simulated person who calibrates, then goes on for so many seconds."""
    from ranvier.cli._paradigms import PARADIGMS

    task = PARADIGMS[name]
    per_turn = len(task.intents) * task.trial_length
    turns = task.n_calibration + max(1, round(seconds / per_turn + 0.5))
    subject = task.subject(turns, seed)
    every = subject.trials(task.labels, task.tmin, task.tmax)
    k = task.n_calibration * len(task.intents)
    start = int(every.end[k - 1])
    stop = min(start + round(seconds * subject.rate), subject.n_samples)
    rest = every[k:]
    title = f"A simulated person (seed {seed}), {task.what}"
    return Plan(
        title=title, paradigm=name, recipe=_recipe(name), earlier=[_until(subject, start)], training=every[:k],
        recording=subject, trials=rest[rest.end <= stop], start=start, stop=stop,
    )  # fmt: skip


def _recipe(name: str) -> Any:
    from ranvier.cli._files import open_pipeline

    return open_pipeline(Path(name))


def _until(recording: Recording, stop: int) -> Recording:
    from ranvier.cli._live import Part

    return Part(recording, stop)


def recorded(
    paths: list[Path], paradigm: str | None, seconds: float, labels: list[str], tmin: float, tmax: float | None
) -> Plan:
    """Return recordings to learn from and one to decode; or one whose first trials are learned from."""
    from ranvier.channels import Pick
    from ranvier.cli._files import open_recording, parse_trials
    from ranvier.cli._paradigms import electrodes, guess
    from ranvier.stream import Trials

    every = [open_recording(p) for p in paths]
    last, rate = every[-1], float(every[-1].info.rate)
    wanted = parse_trials(labels) if labels else _usual(last, paths[-1])
    apart = _gap(last.trials(wanted, tmin=0.0, tmax=1.0).onset) / rate
    end = tmax if tmax is not None else min(4.0, apart)
    if not tmin < end:
        raise ConfigError(f"--tmin needs to be below --tmax; got {tmin:g} s and {end:g} s. Mend them.")
    found = [r.trials(wanted, tmin=tmin, tmax=end) for r in every]
    found = [t[t.end <= r.n_samples] for t, r in zip(found, every, strict=True)]
    if len(every) > 1:
        earlier, training, rest, start = every[:-1], Trials.concatenate(found[:-1]), found[-1], 0
    else:
        k = round(LEARN * len(found[0]))
        training, rest = found[0][:k], found[0][k:]
        start = int(training.end.max(initial=0))
        earlier = [_until(last, start)]
    if len(training.classes) < 2 or not len(rest):
        raise ConfigError(
            f"demo needs trials of two classes to learn from, and some to decode; got {len(training)} of "
            f"{', '.join(training.classes) or 'none'} and {len(rest)}. Name other events: --trials LABEL."
        )
    stop = last.n_samples if seconds == float("inf") else min(last.n_samples, start + round(seconds * rate))
    name = paradigm or guess(last)
    names = electrodes(last, name)
    title = f"{paths[-1].name}: {', '.join(training.classes)}"
    return Plan(
        title=title, paradigm=name, recipe=Pick(names) | _recipe(name), earlier=earlier, training=training,
        recording=last, trials=rest[rest.end <= stop], start=start, stop=stop,
    )  # fmt: skip


def _gap(onsets: Any) -> float:
    """Return the shortest time between two trials, but for a few odd ones [samples]."""
    import numpy as np

    return float(np.quantile(np.diff(np.sort(onsets)), 0.1)) if len(onsets) > 1 else float("inf")


def _usual(rec: Any, path: Path) -> list[str]:
    """Return labels that come about equally often; one that comes twice as often as all others is a pause."""
    from collections import Counter

    labels = rec.event_info.labels
    counts = Counter(labels[int(c)] for c in rec.events.table["code"])
    often = [(label, n) for label, n in counts.most_common() if n >= 4]
    if len(often) > 2 and often[0][1] > 1.5 * often[1][1]:
        often = often[1:]
    often = [(label, n) for label, n in often if n >= often[0][1] / 2]
    if len(often) < 2:
        known = ", ".join(f"{n} x {label!r}" for label, n in counts.most_common(12)) or "none"
        raise ConfigError(
            f"demo needs two kinds of events that come often, to learn from; {path.name} has {known}. "
            "Name them: --trials LABEL=CLASS."
        )
    return sorted(label for label, _ in often)
