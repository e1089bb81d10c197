"""Recipes: fitted left to right through process, on valid samples that lie wholly inside their trials."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from ranvier.denoise import Integrity, Lowpass
from ranvier.errors import ContractError
from ranvier.features import Epoch, Window
from ranvier.record import from_array
from ranvier.stage import Chain, Estimator, Recipe, Run, Stage, Stream, Tags, recipe
from ranvier.stream import Targets

RNG = np.random.default_rng(21)
DATA = RNG.standard_normal((3000, 3)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Seen(Stage):
    """What `Keep` becomes: passes samples on, and holds what it was fitted on."""

    x: np.ndarray
    y: np.ndarray
    tags = Tags(exactness="portable")

    def describe(self, *infos):
        return infos[0]

    def init(self, *infos):
        from ranvier.stage import State

        return State()

    def process(self, state, *chunks):
        return chunks[0]


@dataclass(frozen=True, eq=False)
class Keep(Estimator):
    """Learns its samples by heart."""

    def fit_samples(self, info, samples):
        return Seen(samples.x, samples.y)


def recording(data=DATA):
    events = [(i, "left" if i % 2000 else "right") for i in range(500, 3000, 500)]
    return from_array(data, 100, events=events)


def test_windows_that_lie_wholly_inside_trials_are_learned_and_no_others():
    rec = recording()
    fitted = (Window(0.5, 0.1) | Keep()).fit(rec, rec.trials(["left", "right"], tmin=0.2, tmax=1.0))
    seen = fitted.stages[-1]
    wanted = [DATA[k : k + 50] for on in range(500, 3000, 500) for k in range(0, 3000, 10)
              if on + 20 <= k and k + 50 <= on + 100]  # fmt: skip
    assert np.array_equal(seen.x, wanted)
    assert len(seen.y) == len(wanted) == 5 * 4


def test_what_comes_after_a_trainable_is_fitted_on_what_comes_out_of_it():
    rec = recording()
    trials = rec.trials(["left"], tmin=0.0, tmax=1.0)
    fitted = recipe(Lowpass(10), Keep(), Lowpass(20), Keep()).fit(rec, trials)
    assert isinstance(fitted, Chain)
    passed = Run(Lowpass(10) | Lowpass(20), rec.info).push(rec.read())
    last = fitted.stages[-1].x
    assert np.array_equal(last[:100], passed.data[500:600])


def test_events_reach_a_stage_that_comes_after_a_trainable():
    rec = recording()
    trials = rec.trials(["left", "right"], tmin=0.2, tmax=1.0)
    epoch = Epoch(tmin=0.2, tmax=1.0, on=("left", "right"))
    first = recipe(epoch, Keep()).fit(rec, trials).stages[-1]
    assert len(first.y) == 5
    later = recipe(Lowpass(10), Keep(), epoch, Keep()).fit(rec, trials).stages[-1]
    assert np.array_equal(later.y, first.y)
    passed = recipe(Lowpass(10), epoch, Keep()).fit(rec, trials).stages[-1]
    assert np.array_equal(later.x, passed.x)


def test_a_stream_without_a_recording_has_no_events_to_offer():
    stream = Stream(recording().info, [])
    with pytest.raises(ContractError, match=r"Epoch needs events beside the signal; got a signal alone\. Fit on"):
        stream.offered(Epoch(tmin=0.2, tmax=1.0))


def test_invalid_samples_are_left_out_and_numbers_that_are_not_finite_refused():
    data = DATA.copy()
    data[520:530, 1] = np.nan
    rec = recording(data)
    trials = rec.trials(["left"], tmin=0.0, tmax=1.0)
    with pytest.raises(ContractError, match=r"got 10 numbers of \d+ that are not.*denoise.Integrity"):
        Keep().fit(rec, trials)
    clean = (Integrity() | Keep()).fit(rec, trials).stages[-1]
    assert np.isfinite(clean.x).all()
    assert len(clean.x) == len(trials) * 100 - 10


def test_targets_are_joined_by_source_sample():
    rec = recording()
    values = np.arange(2000.0)[:, None]
    goal = Targets(names=("t",), units=("1",), values=values, start=100)
    seen = (Window(0.5, 0.1) | Keep()).fit(rec, [goal]).stages[-1]
    assert seen.y[:, 0].tolist() == [k + 49 - 100 for k in range(100, 2060, 10)]
    assert np.array_equal(seen.x, [DATA[k : k + 50] for k in range(100, 2060, 10)])


def test_nothing_inside_the_trials_is_said_with_numbers():
    rec = recording()
    trials = rec.trials(["left"], tmin=0.0, tmax=0.3)
    with pytest.raises(ContractError, match=r"got none.*window 50 source samples"):
        (Window(0.5, 0.1) | Keep()).fit(rec, trials)


def test_recordings_that_differ_are_refused():
    a, b = recording(), from_array(DATA[:, :2], 100, events=[(500, "left")])
    trials = a.trials(["left"], tmin=0.0, tmax=1.0)
    with pytest.raises(ContractError, match="channels"):
        Recipe((Keep(),)).fit([a, b], trials)


def test_rates_stay_exact():
    assert recording().info.rate == Fraction(100)
