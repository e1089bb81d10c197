"""The flicker job of ranvier bench: peers agree, what does not is not timed, and all of it comes out."""

import json

import numpy as np
import pytest

from ranvier.errors import RanvierError
from ranvier.evaluate.bench import BENCHES, Options, markdown
from ranvier.evaluate.bench import _fbcca as bench

pytest.importorskip("sklearn")
SEED = 6


@pytest.fixture(scope="module")
def job():
    return bench.Job.of(6, 5, SEED)


def test_windows_are_made_from_their_seed(job):
    again, other = bench.Job.of(6, 5, SEED), bench.Job.of(6, 5, SEED + 1)
    assert job.x.shape == (5 * bench.LENGTH, 6)
    assert np.array_equal(job.x, again.x)
    assert not np.array_equal(job.x, other.x)


def test_peers_give_our_correlations(job):
    by_numpy, by_library = bench.verify(job)
    assert by_numpy["scores"] < 2e-7  # ours come out as float32
    assert by_library["scores"] < 1e-4


def test_correlations_that_differ_are_not_timed(job, monkeypatch):
    monkeypatch.setattr(bench, "_numpy", lambda job: lambda x, start: np.zeros(len(bench.TARGETS)))
    with pytest.raises(RanvierError, match=r"difference of 0.* in correlations"):
        bench.verify(job)


def test_what_is_looked_at_is_found():
    """By chance it would be one in forty."""
    assert bench.accuracy(bench.Job.of(9, 30, SEED)) > 0.5


def test_from_end_to_end():
    options = Options(channels=5, seconds=0.5, turns=1, seed=SEED)
    found = json.loads(json.dumps(BENCHES["fbcca"][1](options, lambda _: None)))
    assert [r["who"] for r in found["rows"]] == ["ranvier", "numpy", "scikit-learn"]
    text = markdown(found)
    assert "scores" in text
    assert "rightly" in text
