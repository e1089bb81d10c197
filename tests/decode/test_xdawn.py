"""Xdawn against pyRiemann on the same windows."""

import numpy as np
import pytest
from pyriemann.spatialfilters import Xdawn as PeerXdawn

from ranvier.decode import LDA, Xdawn
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block

from .helpers import accuracy, labels, run, samples, stream


def responses(seed, n=80, length=40, c=5, size=1.5):
    """Windows with a bump in some direction where the label is ``target``."""
    rng = np.random.default_rng(seed)
    y = labels(rng, n, ("other", "target"))
    where, colour = np.random.default_rng(5).standard_normal(c), np.random.default_rng(6).standard_normal((c, c))
    x = rng.standard_normal((n, length, c)) @ colour
    x[y == "target"] += size * np.exp(-np.square(np.arange(length) - 20.0) / 30)[:, None] * where
    return x, y


def same_up_to_sign(mine, peer):
    signs = np.sign((mine * peer).sum(axis=tuple(range(mine.ndim - 1))))
    np.testing.assert_allclose(mine * signs, peer, atol=1e-9)


@pytest.mark.parametrize("n_filters", [2, 4])
@pytest.mark.parametrize("rate", [10, 0])
def test_filtered_windows_are_the_peers(n_filters, rate):
    x, y = responses(1)
    info = stream((40, 5), rate=rate)
    stage = Xdawn(n_filters=n_filters).fit_samples(info, samples(x, y))
    peer = PeerXdawn(nfilter=n_filters, estimator="scm").fit(x.transpose(0, 2, 1), y)
    out = run(stage, info, x)
    same_up_to_sign(out.data, peer.transform(x.transpose(0, 2, 1)).transpose(0, 2, 1))
    described = stage.describe(info)
    assert described.shape == (40, 2 * n_filters)
    assert described.channels.names[0] == "other.0"
    assert set(described.channels.units) == {"uV"}


def test_filters_of_one_class_alone():
    x, y = responses(2)
    info = stream((40, 5))
    both = Xdawn(n_filters=2).fit_samples(info, samples(x, y))
    one = Xdawn(n_filters=2, classes=("target",)).fit_samples(info, samples(x, y))
    assert np.array_equal(one.filters, both.filters[2:])
    with pytest.raises(ContractError, match="got none of absent, but other, target"):
        Xdawn(classes=("absent",)).fit_samples(info, samples(x, y))
    with pytest.raises(ContractError, match="n_filters >= 1"):
        Xdawn(n_filters=0).fit_samples(info, samples(x, y))


def test_an_instant_with_an_invalid_channel_costs_that_instant_alone():
    x, y = responses(3)
    info = stream((40, 5))
    stage = Xdawn().fit_samples(info, samples(x, y))
    valid = np.ones(x.shape, bool)
    valid[7, 13, 2] = False
    good, out = run(stage, info, x), run(stage, info, np.where(valid, x, 1e30), valid)
    lost = ~out.valid
    assert lost[7, 13].all()
    assert lost.sum() == out.data.shape[2]
    assert np.array_equal(out.data[~lost], good.data[~lost])
    assert (out.data[lost] == 0).all()


def test_with_lda_behind_it_finds_targets_and_permuted_labels_do_not():
    x, y = responses(4, n=400)
    info = stream((40, 5), rate=0)

    def fitted(labels_):
        filters = Xdawn(n_filters=1, classes=("target",)).fit_samples(info, samples(x[:200], labels_))
        inner = filters.describe(info)
        return filters | LDA().fit_samples(inner, samples(run(filters, info, x[:200]).data, labels_))

    assert accuracy(fitted(y[:200]), info, x[200:], y[200:]) > 0.9
    wrong = fitted(np.random.default_rng(0).permutation(y[:200]))
    shuffled = np.random.default_rng(1).permutation(y[200:])
    assert abs(accuracy(wrong, info, x[200:], shuffled) - 0.5) < 0.15  # four standard deviations of 200 draws


def test_on_float32_the_bits_do_not_depend_on_the_cut():
    x, y = responses(5)
    info = stream((40, 5), np.float32)
    stage = Xdawn().fit_samples(info, samples(x.astype(np.float32), y))
    whole = run(stage, info, x).data
    runner = Run(stage, info)
    parts = [runner.push(Block(x[i : i + 1].astype(np.float32), i)).data for i in range(len(x))]
    assert np.array_equal(np.concatenate(parts), whole)
