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
