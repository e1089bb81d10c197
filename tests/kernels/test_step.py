"""A step says how its state begins."""

import pytest

from ranvier.errors import ContractError
from ranvier.kernels.words import add
from ranvier.stage import Step


def leaky(x, s, k):
    y = add(x, s[0])
    return y, (y,)


def test_state_without_prime_is_refused():
    with pytest.raises(ContractError, match=r"needs prime .* n_state=1 and prime=None .*leaky"):
        Step(leaky, n_state=1)
    assert Step(leaky).n_state == 0
