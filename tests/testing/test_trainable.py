"""check_trainable passes what learns from the labels it is given, and catches what does not."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from ranvier.channels import CommonReference
from ranvier.decode import CSP, LDA, LogisticRegression, TangentSpace
from ranvier.denoise import Bandpass
from ranvier.errors import ContractError
from ranvier.features import BandPower, Covariance
from ranvier.record import from_array
from ranvier.stage import Trainable, chain
from ranvier.testing import ConformanceError, check_trainable
from ranvier.testing._trainable import chance_limit
from ranvier.twin import Person, SimulatedSubject, cued

SEED = 31


CHANNELS = ("Pz", "PO3", "PO4", "O1", "Oz", "O2")


@pytest.fixture(scope="module")
def data():
    """A subject who rests or looks at a light, 12 times each, and the trials."""
    cues = cued(["rest", "13Hz"], 12, seed=SEED, duration=4.0, pause=0.5)
    person = Person(skill=2.0, blinks=0.0)
    subject = SimulatedSubject(cues=cues, seed=SEED, channels=CHANNELS, person=person)
    events = [(round(c.onset * 250), c.intent) for c in cues]
    rec = from_array(subject.read(0, subject.n_samples).data, 250, CHANNELS, events=events)
    return rec, rec.trials(["rest", "13Hz"], tmin=0.5, tmax=4.0)


BAND = Bandpass(12.0, 14.0)
RECIPES = {
    "power": BandPower(12.0, 14.0, 2.0, 0.5, log=True) | LDA(),
    "reference": CommonReference() | BandPower(12.0, 14.0, 2.0, 0.5, log=True) | LogisticRegression(),
    "csp": BAND | Covariance(2.0, 0.5) | CSP(4) | LDA(),
    "tangent": BAND | Covariance(2.0, 0.5) | TangentSpace() | LDA(),
}


@pytest.mark.parametrize("name", RECIPES)
def test_sound_recipes_pass(data, name):
    check_trainable(RECIPES[name], *data)


@dataclass(frozen=True, eq=False)
class Wrapped(Trainable):
    """Not broken: a recipe within."""

    within: Trainable = RECIPES["power"]

    def fit(self, recordings, trials):
        return self.changed(self.within.fit(recordings, trials), recordings, trials)

    def changed(self, stage, recordings, trials):
        return stage

    def with_bias(self, stage, value):
        last = stage.stages[-1]
        return chain(*stage.stages[:-1], replace(last, bias=last.bias + value))


class Unseeded(Wrapped):
    """Its intercept depends on the day."""

    def changed(self, stage, recordings, trials):
        return self.with_bias(stage, 1e-6 * np.random.default_rng().standard_normal())


class GlobalMean(Wrapped):
    """It looks at the mean of the whole recording, trials that it was not given included."""

    def changed(self, stage, recordings, trials):
        mean = np.mean([float(b.data.mean(dtype=float)) for r in recordings for b in r.blocks(2500)])
        return self.with_bias(stage, 1e-6 * mean)


class IgnoresLabels(Wrapped):
    """It learns its own labels: every other trial."""

    def fit(self, recordings, trials):
        order = np.argsort(np.argsort(trials.onset * 7919 % 1009))
        return self.within.fit(recordings, replace(trials, label=np.array(trials.classes)[order % 2]))


def test_the_wrapper_itself_is_sound(data):
    check_trainable(Wrapped(), *data)


@pytest.mark.parametrize(
    ("broken", "said"),
    [(Unseeded, "two stages"), (GlobalMean, "was not given"), (IgnoresLabels, "does not learn")],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_broken_trainables_are_caught(data, broken, said):
    with pytest.raises(ConformanceError, match=said):
        check_trainable(broken(), *data)


def test_chance_limit_is_the_quantile_of_scipy():
    from scipy.stats import binom

    for n, p in ((10, 0.5), (24, 0.5), (60, 1 / 3), (200, 0.25)):
        assert chance_limit(n, p) == binom.ppf(0.999, n, p)


def test_too_few_trials_are_refused(data):
    with pytest.raises(ContractError, match="at least 5 trials"):
        check_trainable(Wrapped(), data[0], data[1][:6])
