"""Logarithms without eigenvectors, against eigenvectors, closed forms, and the logarithm's own series of fractions."""

import os
import subprocess
import sys

import numpy as np
import pytest

from ranvier.kernels import _spd
from ranvier.kernels._log_rule import CONSTANT, FRACTIONS, LOWEST
from ranvier.kernels._products import add_products, padded

ROUNDING = 2e-15  # times the condition number: what float64 leaves of a logarithm, here and in LAPACK
RULE = 5e-13


def made(seed, n, condition):
    """A symmetric matrix whose eigenvalues are spread evenly in the logarithm."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))
    c = (turn * np.geomspace(1 / condition, 1, n)) @ turn.T
    return (c + c.T) / 2


def logs(x, whitening):
    """What the kernel makes of matrices, as full matrices, and which are valid."""
    rank, n = whitening.shape
    upper = np.triu_indices(rank)
    y, used = np.zeros((len(x), len(upper[0]))), np.ones(len(x), bool)
    _spd.log_vectors(x, used, _spd.turned(whitening), rank, _spd.room(n, rank), y)
    out = np.zeros((len(x), rank, rank))
    out[:, *upper] = y / np.where(upper[0] == upper[1], 1, np.sqrt(2))
    return out + np.triu(out, 1).swapaxes(1, 2), used


def by_eigenvectors(a):
    values, vectors = np.linalg.eigh((a + a.T) / 2)
    return (vectors * np.log(values)) @ vectors.T


def test_the_fractions_are_the_logarithm():
    """In extended precision, on 200,000 points; and near both ends."""
    x = np.geomspace(np.longdouble(LOWEST), 1, 200_000, dtype=np.longdouble)
    if np.finfo(np.longdouble).eps > 1e-18:
        pytest.skip("this machine has no numbers longer than float64")
    total = np.full(x.shape, np.longdouble(CONSTANT))
    for pole, weight in FRACTIONS:
        assert pole > 0
        assert weight > 0
        total -= np.longdouble(weight) / (x + np.longdouble(pole))
    assert np.abs(total - np.log(x)).max() < RULE


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 64, 70])
@pytest.mark.parametrize("condition", [1.01, 1e3, 1e7, 1e11])
def test_logarithms_are_those_of_eigenvectors(n, condition):
    x = np.stack([made(n, n, condition) * scale for scale in (1.0, 3e-7, 1e9)])
    mine, used = logs(x, np.eye(n))
    assert used.all()
    for a, found in zip(x, mine, strict=True):
        assert np.linalg.norm(found - by_eigenvectors(a)) < RULE * np.sqrt(n) + ROUNDING * condition


def test_logarithm_of_a_matrix_whose_eigenvectors_are_known():
    """The second difference plus a constant: sines, and eigenvalues in closed form."""
    n = 40
    k = np.arange(1, n + 1)
    values = 0.05 + 2 - 2 * np.cos(np.pi * k / (n + 1))
    vectors = np.sqrt(2 / (n + 1)) * np.sin(np.pi * np.outer(k, k) / (n + 1))
    a = np.diag(np.full(n, 2.05)) - np.eye(n, k=1) - np.eye(n, k=-1)
    np.testing.assert_allclose(logs(a[None], np.eye(n))[0][0], (vectors * np.log(values)) @ vectors.T, atol=2e-12)


def test_diagonal_matrices_and_those_with_empty_rows_need_no_reflections():
    values = np.array([3.0, 0.2, 7.0, 1.0, 1e-5])
    mine, used = logs(np.diag(values)[None], np.eye(5))
    assert used.all()
    np.testing.assert_allclose(mine[0], np.diag(np.log(values)), atol=1e-12)
    a = np.eye(6)
    a[0, 5] = a[5, 0] = 0.5  # far from the diagonal
    np.testing.assert_allclose(logs(a[None], np.eye(6))[0][0], by_eigenvectors(a), atol=1e-12)


@pytest.mark.parametrize(("n", "rank"), [(8, 5), (64, 63), (20, 20)])
def test_whitening_comes_first(n, rank):
    rng = np.random.default_rng(n)
    x, white = np.stack([made(s, n, 50.0) for s in range(3)]), rng.standard_normal((rank, n)) / np.sqrt(n)
    mine, used = logs(x, white)
    assert used.all()
    for a, found in zip(x, mine, strict=True):
        small = white @ a @ white.T
        bound = RULE * np.sqrt(rank) + ROUNDING * np.linalg.cond(small)
        assert np.linalg.norm(found - by_eigenvectors(small)) < bound


def test_distances_are_those_of_eigenvalues():
    x = np.stack([made(s, 12, 1e4) for s in range(4)])
    whites = np.stack([np.eye(12), 2.0 * np.eye(12)])
    y, used = np.zeros((4, 2)), np.array([True, True, False, True])
    _spd.distances(x, used, _spd.turned(whites), 12, _spd.room(12, 12), y)
    for i in (0, 1, 3):
        for j, factor in enumerate((1.0, 4.0)):
            wanted = np.square(np.log(factor * np.linalg.eigvalsh(x[i]))).sum()
            assert y[i, j] == pytest.approx(wanted, rel=1e-10)
    assert used.tolist() == [True, True, False, True]
    assert not y[2].any()


def test_what_has_no_logarithm_is_said_and_touches_no_other():
    good = made(1, 6, 10.0)
    a = np.array([good] * 9)
    a[1], a[2], a[3] = 0, -good, np.nan
    a[4, 2, 2], a[5], a[6] = np.inf, good * 1e200, np.ones((6, 6))
    a[7] = made(2, 6, 1e14)  # singular but for rounding
    mine, used = logs(a, np.eye(6))
    assert used.tolist() == [True, *[False] * 7, True]
    assert np.array_equal(mine[8], logs(good[None], np.eye(6))[0][0])
    assert np.isfinite(mine).all()


def test_scaling_by_a_power_of_two_changes_the_diagonal_alone():
    """Which is the whole of log(2 A), and shows that nothing depends on the size of numbers."""
    a = made(3, 10, 1e3)
    one, two = logs(np.stack([a, a * 2.0**30]), np.eye(10))[0]
    np.testing.assert_allclose(two - one, 30 * np.log(2) * np.eye(10), atol=1e-13 * 30)


@pytest.mark.parametrize(("n_time", "rows", "columns"), [(1, 1, 1), (10, 3, 5), (33, 8, 16), (7, 13, 20), (50, 64, 64)])
@pytest.mark.parametrize("upper", [True, False])
def test_products_are_added_one_instant_after_the_other(n_time, rows, columns, upper):
    """Products of float32 are exact in float64, so that numpy's sums in that order are the definition."""
    rng = np.random.default_rng(n_time)
    a, b, total = padded(n_time, rows), padded(n_time, columns), padded(rows, columns)
    a[:n_time, :rows] = rng.standard_normal((n_time, rows)).astype(np.float32)
    b[:n_time, :columns] = rng.standard_normal((n_time, columns)).astype(np.float32)
    wanted = np.zeros((rows, columns))
    for t in range(n_time):
        wanted = wanted + a[t, :rows, None] * b[t, None, :columns]
    add_products(a, b, n_time, total, rows, columns, upper, True)
    half = np.triu(np.ones((rows, columns), bool)) if upper else np.ones((rows, columns), bool)
    assert np.array_equal(total[:rows, :columns][half], wanted[half])
    add_products(a, b, 0, total, rows, columns, upper, False)
    assert np.array_equal(total[:rows, :columns][half], wanted[half])
    assert not total[:, columns:].any()


BITS = """
import hashlib, sys
import numpy as np
from ranvier.kernels import _canonical, _links, _spd
from ranvier.kernels._products import add_products, padded
rng, digest = np.random.default_rng(5), hashlib.sha256()
x = padded(60, 21)
x[:60, :21] = rng.standard_normal((60, 21))
products = padded(21, 21)
add_products(x, x, 60, products, 21, 21, True, True)
whole = np.triu(products[:21, :21]) + np.triu(products[:21, :21], 1).T
y, used = np.zeros((1, 231)), np.ones(1, bool)
_spd.log_vectors(whole[None], used, _spd.turned(np.eye(21)), 21, _spd.room(21, 21), y)
assert used.all()
sets = rng.standard_normal((5, 6, 60))
for one in sets:
    _canonical.orthonormal(one)
waves, apart = _canonical.in_lanes(sets.transpose(0, 2, 1))
room, scores = _canonical.room(60, 4, waves, apart), np.zeros(8)
room[0][:60, :4] = x[:60, :4]
assert _canonical.correlate(60, 4, waves, apart, room, 1.25, scores)
_links.softmax(y, used)
for a in (products, y, scores):
    digest.update(a.tobytes())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_another_cpu_gives_the_same_bits(tmp_path):
    """The same code for a CPU with half as wide registers (Haswell), compiled anew in a process of its own."""
    found = []
    for cpu in (
        {},
        {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma", "NUMBA_CACHE_DIR": str(tmp_path)},
    ):
        done = subprocess.run([sys.executable, "-c", BITS], env={**os.environ, **cpu}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout)
    assert found[0] == found[1]
