"""Threads that share the channels of a wide loop give the bits of one."""

import numpy as np
import pytest

from ranvier.channels import CommonReference
from ranvier.denoise import Bandpass, Integrity
from ranvier.features import BinnedCounts, SpikeBandPower, Spikes
from ranvier.kernels import _loop
from ranvier.stage import Run
from ranvier.stream import Block

from .fused import equal, equal_states, pieces, push, stream

BAND = Bandpass(50, 300, 2)
JOINED = (Spikes(3.0, noise_window=0.05) | BinnedCounts(0.02)) & SpikeBandPower(0.02)


@pytest.mark.parametrize(
    ("stage", "n", "group"),
    [
        (Integrity(rail=70.0) | BAND | JOINED, 1603, 0),
        (Integrity(rail=70.0, flat=0.002) | CommonReference(by="group") | BAND | SpikeBandPower(0.02), 1600, 64),
        (BAND, 1603, 0),
    ],
)
def test_shared_is_the_same_as_alone(monkeypatch, stage, n, group):
    monkeypatch.setattr(_loop, "LEAST_A_CORE", 500)
    rng = np.random.default_rng(n)
    x = (20 * rng.standard_normal((700, n))).astype("f4")
    valid = rng.random(x.shape) >= 0.002
    given = [*pieces(Block(x[:300], 3, valid[:300]), [1, 20, 0, 130]), *pieces(Block(x[300:], 303), [20] * 10)]
    runs = [Run(stage, stream(n, group=group), cores=cores) for cores in (1, 3)]
    assert "threads" not in runs[0].explain()
    assert ", 3 threads" in runs[1].explain()
    equal(*[push(run, given) for run in runs])
    equal_states(*runs)


def test_two_runs_at_once_do_not_disturb_each_other(monkeypatch):
    from threading import Thread

    monkeypatch.setattr(_loop, "LEAST_A_CORE", 500)
    rng = np.random.default_rng(5)
    blocks = [Block((20 * rng.standard_normal((20, 1600))).astype("f4"), 20 * i) for i in range(200)]
    wanted = push(Run(BAND | SpikeBandPower(0.02), stream(1600)), blocks)
    runs = [Run(BAND | SpikeBandPower(0.02), stream(1600), cores=3) for _ in range(2)]
    found = [[], []]
    threads = [Thread(target=lambda i=i: found[i].extend(push(runs[i], blocks))) for i in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for outs in found:
        equal(wanted, outs)
