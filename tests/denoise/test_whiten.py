"""Whitening against its definition: the covariance of what comes out is the identity."""

import numpy as np
import pytest

from ranvier.denoise import Whiten, Whitened
from ranvier.errors import ContractError
from ranvier.stage import Contract, Run, Samples
from ranvier.stream import Block, Channels, StreamInfo

SEED, N, LENGTH = 2203, 12, 40_000
PLACES = [(0.0, 2e-5 * i, 0.0) for i in range(N)]
INFO = StreamInfo.signal(30_000, Channels.of(N, "spikes", "uV", positions=PLACES), dtype="f8")


def noise(rng, n=LENGTH):
    """Noise that near channels share: correlation 0.6 to the power of their distance in sites."""
    near = 0.6 ** np.abs(np.subtract.outer(np.arange(N), np.arange(N)))
    return rng.standard_normal((n, N)) @ np.linalg.cholesky(near).T * np.linspace(5, 20, N)


def fit(x, **how):
    return Whiten(**how).fit_samples(INFO, Samples(x=x, y=np.zeros(len(x)), stretch=np.zeros(len(x), np.int64)))


def test_the_covariance_of_the_calibration_becomes_the_identity():
    x = noise(np.random.default_rng(SEED))
    stage = fit(x, threshold=1e3, floor=0.0)
    y = Run(stage, INFO).push(Block(x)).data
    np.testing.assert_allclose(y.T @ y / len(y), np.eye(N), atol=1e-10)
    np.testing.assert_allclose(stage.matrix, stage.matrix.T, atol=1e-12)  # ZCA
    assert stage.describe(INFO).channels.units == ("1",) * N


def test_spikes_do_not_count():
    """Large spikes on each channel: what was learned without crossings whitens the noise itself, the plain not."""
    rng = np.random.default_rng(SEED)
    x = noise(rng)
    spiky = x.copy()
    for c in range(N):
        at = rng.integers(50, LENGTH - 50, 100)
        for k in range(5):
            spiky[at + k, c] -= 300.0

    def left(stage):
        y = Run(stage, INFO).push(Block(x)).data
        return np.abs(y.T @ y / len(y) - np.eye(N)).max()

    assert left(fit(spiky)) < 0.05
    assert left(fit(spiky, threshold=1e5)) > 0.3


def test_counts_at_the_lower_end_are_as_large_as_at_the_upper():
    """The magnitude of -32768 is no int16: at either rail samples are artefacts, which do not count."""
    counts = np.round(noise(np.random.default_rng(SEED)) * 10).astype("i2")
    info, found = StreamInfo.signal(30_000, INFO.channels, dtype="i2"), []
    for rail in (32767, -32768):
        counts[5000:5020] = rail
        samples = Samples(x=counts, y=np.zeros(LENGTH), stretch=np.zeros(LENGTH, np.int64))
        found.append(Whiten().fit_samples(info, samples).matrix)
    np.testing.assert_array_equal(*found)


def test_local_whitening_uses_near_channels_alone_and_leaves_little():
    x = noise(np.random.default_rng(SEED))
    stage = fit(x, neighbours=5)
    for c, row in enumerate(stage.matrix):
        used = np.flatnonzero(row)
        assert len(used) == 5
        assert np.abs(used - c).max() <= 4
    y = Run(stage, INFO).push(Block(x)).data
    left = np.corrcoef(y.T) - np.eye(N)
    assert np.abs(left).max() < 0.15
    assert np.abs(np.corrcoef(x.T) - np.eye(N)).max() > 0.55


@pytest.mark.parametrize("neighbours", [None, 5])
def test_an_invalid_channel_counts_as_0(neighbours):
    x = noise(np.random.default_rng(SEED))
    stage = fit(x, neighbours=neighbours)
    ok = np.ones((50, N), bool)
    ok[10:20, 3] = False
    zero = np.where(ok, x[:50], 0)
    a = Run(stage, INFO).push(Block(np.where(ok, x[:50], 1e30), 0, ok))
    b = Run(stage, INFO).push(Block(zero))
    np.testing.assert_array_equal(a.data[ok], b.data[ok])
    np.testing.assert_array_equal(a.valid, ok)
    np.testing.assert_allclose(b.data, zero @ stage.matrix.T, rtol=1e-9, atol=1e-9)


def test_what_cannot_be_is_refused():
    x = noise(np.random.default_rng(SEED), 1000)
    dead = x.copy()
    dead[:, 2] = 0
    for data, how, words in (
        (x[:50], {}, "at least 10 valid samples"),
        (dead, {}, "needs channels that vary"),
        (x, {"neighbours": 1}, "2 <= neighbours"),
        (x, {"threshold": 0.0}, "threshold"),
        (x, {"guard": -1.0}, "guard"),
    ):
        with pytest.raises(ContractError, match=words):
            fit(data, **how)
    with pytest.raises(ContractError, match="finite matrix"):
        Whitened(np.full((N, N), np.nan), Contract.of(INFO))


def test_a_channel_that_is_bad_all_along_teaches_nothing():
    """The others are whitened as without it, whatever it holds; it is scaled by what is usual."""
    x = noise(np.random.default_rng(SEED))
    x[:, 4] = 1e6
    valid = np.ones(x.shape, bool)
    valid[:, 4], valid[500:700, 2] = False, False
    x[500:700, 2] = -1e6
    given = Samples(x=x, y=np.zeros(len(x)), stretch=np.zeros(len(x), np.int64), valid=valid)
    found = Whiten(threshold=1e3, floor=0.0).fit_samples(INFO, given).matrix
    others = np.arange(N) != 4
    np.testing.assert_allclose(found[4, others], 0, atol=1e-12)
    assert found[4, 4] == pytest.approx(1 / np.median(np.linspace(5, 20, N)), rel=0.1)
    heard = np.where(valid, x, 0)[:, others] @ found[np.ix_(others, others)]
    both = valid[:, others].astype(float)
    np.testing.assert_allclose(heard.T @ heard / (both.T @ both), np.eye(N - 1), atol=0.02)
