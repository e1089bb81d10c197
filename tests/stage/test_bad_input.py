"""Bad input is refused in one sentence, and nothing else happens."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from ranvier.denoise import Bandpass, Integrity
from ranvier.errors import ContractError
from ranvier.kernels import _cache
from ranvier.stage import Run
from ranvier.stream import Block, StreamInfo

INFO = StreamInfo.signal(250, 3)
X = np.random.default_rng(5).standard_normal((40, 3)).astype("f4")


@pytest.mark.parametrize("cores", [0, -1, 1.5, float("nan"), None, "2"])
def test_cores_are_a_whole_number(cores: Any) -> None:
    with pytest.raises(ContractError, match="whole cores >= 1"):
        Run(Bandpass(8, 30), INFO, cores=cores)


@pytest.mark.parametrize("block", [-1, 1.5, "a", 10**12, float("nan"), float("inf")])
def test_explain_needs_a_block_that_can_be_made(block: Any) -> None:
    with pytest.raises(ContractError, match="explain needs a block"):
        Run(Bandpass(8, 30), INFO).explain(block=block)


@pytest.mark.parametrize("start", [1.5, np.float64(3), None, "x", 2**63, -(2**63), float("nan")])
def test_an_index_is_a_whole_number_that_fits(start: Any) -> None:
    with pytest.raises(ContractError, match="index of its first sample"):
        Block(X, start)


@pytest.mark.parametrize("start", [np.uint64(9), np.int32(9), 9])
def test_an_index_becomes_a_plain_number(start: Any) -> None:
    block = Block(X, start)
    assert type(block.start) is int
    assert block.start - 10 == -1


@pytest.mark.parametrize("chunk", [X, None, [[1.0] * 3]])
def test_what_is_no_chunk_is_refused(chunk: Any) -> None:
    run = Run(Bandpass(8, 30), INFO)
    for feed in (run.push, run.step):
        with pytest.raises(ContractError, match="Run needs a Block or Events"):
            feed(chunk)
    assert run.push(Block(X)).n == len(X)


def test_samples_off_their_places_in_memory_are_named() -> None:
    shifted = np.ndarray(X.shape, X.dtype, np.zeros(X.nbytes + 1, np.uint8), 1)
    with pytest.raises(ContractError, match="multiples of their size"):
        Run(Bandpass(8, 30), INFO).step(Block(shifted))


def test_threads_that_load_one_text_get_one_whole_module(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANVIER_CACHE", str(tmp_path))
    inside, go, found = threading.Event(), threading.Event(), []
    monkeypatch.setattr(_cache, "halfway", lambda: (inside.set(), go.wait(10)), raising=False)
    text = "from ranvier.kernels import _cache\n_cache.halfway()\nkernel = 1\n"

    def load() -> None:
        found.append(getattr(_cache.load_source(text), "kernel", None))

    threads = [threading.Thread(target=load) for _ in range(2)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    threads[1].join(0.2)  # without a lock it ends here, with a module that is not filled yet
    go.set()
    for thread in threads:
        thread.join(10)
    assert found == [1, 1]


def test_a_rail_beyond_all_numbers_clips_nothing() -> None:
    far, none = (Run(Integrity(rail=rail), INFO).push(Block(X)) for rail in (1e300, None))
    assert np.array_equal(far.data, none.data)
    assert far.valid.all()
