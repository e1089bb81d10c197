"""RobustReference without estimates needs no positions, and is the mean of what is valid."""

import numpy as np
import pytest

from ranvier.channels import CommonReference, RobustReference
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo

INFO = StreamInfo.signal(250, Channels.of(8, "eeg", "uV"))
X = np.random.default_rng(4).standard_normal((100, 8)).astype("f4")


def test_it_needs_no_positions():
    found = Run(RobustReference(estimate="none"), INFO).push(Block(X, 0)).data
    wanted = Run(CommonReference(), INFO).push(Block(X, 0)).data
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_estimates_do():
    with pytest.raises(ContractError, match="RobustReference needs the positions"):
        RobustReference().describe(INFO)


@pytest.mark.parametrize(("lost", "trusted"), [(4, True), (5, False)])
def test_fewer_than_least_are_no_reference(lost, trusted):
    valid = np.ones(X.shape, bool)
    valid[:, :lost] = False
    out = Run(RobustReference(estimate="none", least=4), INFO).push(Block(X, 0, valid))
    assert not out.valid[:, :lost].any()
    assert out.valid[-1, lost:].all() == out.valid[-1, lost:].any() == trusted
