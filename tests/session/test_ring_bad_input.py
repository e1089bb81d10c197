"""A ring refuses what would be published as something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ranvier.errors import ContractError, StateError
from ranvier.session import Ring
from ranvier.stream import StreamInfo

INFO = StreamInfo.signal(1000, 4, dtype="int16")
ROWS = np.ones((3, 4), "int16")


@pytest.mark.parametrize("start", [0.5, "a", 2**63 - 2, 2**70, float("nan")])
def test_an_index_is_a_whole_number_that_fits(start: Any) -> None:
    with Ring.create(INFO, 0.1, block=10) as ring, ring.reader() as reader:
        with pytest.raises(ContractError, match="whole and at most"):
            ring.write(ROWS, start)
        assert ring.write(ROWS, np.uint64(7)) == 10
        block = reader.read()
        assert block is not None
        assert (block.start, block.n) == (7, 3)


def test_a_block_within_a_block_is_refused_and_the_first_comes_out_whole() -> None:
    with Ring.create(INFO, 0.1, block=10) as ring, ring.reader() as reader:
        with ring.slot(3) as rows:
            rows[:] = 1
            with pytest.raises(StateError, match="one block to end"):
                ring.write(7 * ROWS)
            with pytest.raises(StateError, match="one block to end"):
                ring.slot(4)
        block = reader.read()
        assert block is not None
        assert (block.start, block.data.tolist()) == (0, ROWS.tolist())
        assert ring.write(ROWS) == 6


@pytest.mark.parametrize("samples", [[[1] * 4], None])
def test_samples_are_an_array(samples: Any) -> None:
    with Ring.create(INFO, 0.1) as ring, pytest.raises(ContractError, match="samples in an array"):
        ring.write(samples)


@pytest.mark.parametrize("name", [5, b"abc"])
def test_a_name_is_a_text(name: Any) -> None:
    with pytest.raises(ContractError, match="Ring needs a name"):
        Ring.create(INFO, 0.1, name=name)


def test_a_block_has_whole_samples() -> None:
    with pytest.raises(ContractError, match="whole samples in a block"):
        Ring.create(INFO, 0.1, block=1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), 1e300, "a", None])
def test_a_timeout_is_a_number_of_seconds(timeout: Any) -> None:
    with Ring.create(INFO, 0.1) as ring, ring.reader() as reader, pytest.raises(ContractError, match="timeout"):
        reader.wait(timeout)
