"""One loop for a whole chain gives the bits of one stage after the other, one lane at a time."""

import numpy as np
import pytest

from ranvier.channels import CommonReference, Scale
from ranvier.stream import Block

from .fused import both, stream


@pytest.mark.parametrize(("n", "part"), [(24, 0.1), (72, 0.0), (72, 0.1)])
def test_a_mean_over_channels_that_do_not_fill_sixteen_lanes(monkeypatch, n, part):
    rng = np.random.default_rng(n)
    x = rng.standard_normal((150, n))
    valid = rng.random(x.shape) >= part if part else None
    both(monkeypatch, CommonReference() | Scale(2.0), stream(n, dtype="f8"), [Block(x, 3, valid)])


@pytest.mark.parametrize("swapped", [False, True])
def test_means_over_groups_of_different_size_follow_each_other(monkeypatch, swapped):
    x = np.random.default_rng(1).standard_normal((100, 64)).astype("f4")
    stages = [CommonReference(by="group"), Scale(2.0), CommonReference()]
    a, b, c = stages[::-1] if swapped else stages
    both(monkeypatch, a | b | c, stream(64, group=16), [Block(x)])
