"""Percentiles of a histogram against those of all the numbers."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ranvier.session._histogram import Histogram


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=300), st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_percentiles_are_never_too_small_and_at_most_one_step_too_large(times, share):
    h = Histogram()
    for t in times:
        h.add(t)
    true = np.quantile(times, share, method="inverted_cdf")
    assert true <= h.percentile(share) <= true * (1 + 1 / 32) + 1
    assert (h.n, h.largest) == (len(times), max(times))
    again = Histogram.from_table(json.loads(json.dumps(h.as_table())))
    assert again.summary() == h.summary()


def test_what_is_out_of_range_is_counted_at_the_ends():
    h = Histogram()
    h.add(-5)
    h.add(2**60)
    assert h.percentile(0.5) == 0
    assert h.percentile(1.0) == h.largest == 2**60
    assert np.isnan(Histogram().percentile(0.5))
