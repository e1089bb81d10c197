"""The noise of channels: the median of sizes, whatever they are, in any number of lanes."""

from functools import lru_cache

import numpy as np
import pytest
from numba import njit

from ranvier.kernels import _crossings
from ranvier.kernels._crossings import MEDIAN_OF_ONE_SIGMA, make_estimate

HEARD, LEAST = 127, 64
TINY = np.float32(1e-45)


@lru_cache
def kernel(width):
    estimate = make_estimate(width)

    @njit("void(int64, int64, int64, int64, int64)")
    def call(ring, noise, threshold, estimates, room):
        for c in range(0, 16, width):
            estimate(ring + 4 * c, HEARD, LEAST, 4.5, 0.05, noise + 4 * c, threshold + 4 * c, estimates + 4 * c, room)

    return call


def noise_of(sizes, width):
    """Return first estimates of 16 channels; 0 where there are too few sizes."""
    ring = np.ascontiguousarray(sizes, "f4")
    noise, threshold = np.zeros(16, "f4"), np.zeros(16, "f4")
    estimates, room = np.zeros(16, "i4"), np.zeros(64, "f4")
    kernel(width)(*[a.ctypes.data for a in (ring, noise, threshold, estimates, room)])
    heard = estimates > 0
    assert np.array_equal(heard, np.isfinite(ring).sum(0) >= LEAST)
    assert np.array_equal(threshold[heard & (noise > 0)], np.float32(-4.5 * noise)[heard & (noise > 0)])
    return noise


def by_sorting(sizes):
    n = np.isfinite(sizes).sum(axis=0)
    median = np.sort(np.asarray(sizes, "f4"), axis=0)[np.maximum(n - 1, 0) // 2, np.arange(16)]
    return np.where(n >= LEAST, (median.astype("f8") / MEDIAN_OF_ONE_SIGMA).astype("f4"), np.float32(0))


def scenes():
    rng = np.random.default_rng(7)
    normal = np.abs(rng.standard_normal((HEARD, 16))).astype("f4")
    yield "normal", normal
    yield "large", normal * np.float32(1e37)
    yield "smallest", np.round(3 * normal) * TINY
    yield "of every size", np.exp(rng.uniform(-100, 88, normal.shape)).astype("f4")
    yield "few values", np.round(2 * normal)
    yield "all the same", np.full_like(normal, 3)
    yield "nothing", np.zeros_like(normal)
    yield "mostly nothing", np.where(rng.random(normal.shape) < 0.4, normal, 0)
    yield "half large", np.where(rng.random(normal.shape) < 0.5, np.float32(1e30) * normal, normal)
    yield "one very large", np.where(np.arange(HEARD)[:, None] == 5, np.float32(3e38), normal)
    yield "two values next to each other", np.where(normal > 0.67, np.float32(1), np.nextafter(np.float32(1), 2))
    for part in (0.1, 0.5, 0.97, 1.0):
        yield f"{part} invalid", np.where(rng.random(normal.shape) < part, np.inf, normal)


@pytest.mark.parametrize("width", [1, 4, 16])
def test_the_median_is_that_of_sorting_to_the_bit(width):
    for name, sizes in scenes():
        assert np.array_equal(noise_of(sizes, width), by_sorting(sizes)), name


def test_a_range_that_is_cut_too_seldom_is_found_out(monkeypatch):
    monkeypatch.setattr(_crossings, "CUTS", 3)
    kernel.cache_clear()
    name, sizes = next(scenes())
    try:
        assert not np.array_equal(noise_of(sizes, 16), by_sorting(sizes)), name
    finally:
        kernel.cache_clear()
