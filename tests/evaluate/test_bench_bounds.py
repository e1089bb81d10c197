"""Sizes that no machine has are refused before anything is made."""

from __future__ import annotations

from typing import Any

import pytest

from ranvier.cli._warm import _stream
from ranvier.errors import ConfigError
from ranvier.evaluate.bench import Options


@pytest.mark.parametrize(
    "sizes",
    [{"seconds": float("inf")}, {"seconds": 1e12}, {"channels": 10**20}, {"block_ms": (1.0, 1e9)}, {"turns": 10**9}],
)
def test_a_benchmark_has_sizes_that_can_be_made(sizes: Any) -> None:
    with pytest.raises(ConfigError, match=r"bench needs .* <= "):
        Options(**sizes)


def test_warm_takes_a_number_of_channels_that_can_be_made() -> None:
    with pytest.raises(ConfigError, match="--channels needs to be at most"):
        _stream(None, None, 30000.0, 10**9, None, None)
