"""Pick keeps what was asked for, in that order, and copies only where it must."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.channels import Pick
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo, is_all_valid

NAMES = ("Fp1", "C3", "Cz", "C4", "O1", "O2", "EOG1", "STI")
INFO = StreamInfo.signal(250, Channels.of(NAMES, ("eeg",) * 6 + ("eog", "trigger")))


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("eeg", NAMES[:6]),
        ("C4", ("C4",)),
        (("C4", "C3"), ("C4", "C3")),
        (("O*", "C3", "O1"), ("O1", "O2", "C3")),
        ("C?", ("C3", "Cz", "C4")),
        (0, ("Fp1",)),
        ((-1, 7, 1), ("STI", "C3")),
        (("eeg", "-C*"), ("Fp1", "O1", "O2")),
        ("-EOG*", (*NAMES[:6], "STI")),
        (("-trigger", "-EMG*"), NAMES[:7]),
        (("eeg", "-absent"), NAMES[:6]),
    ],
)
def test_names_kinds_patterns_and_indices(what, wanted):
    x = np.arange(40, dtype="f4").reshape(5, 8)
    run = Run(Pick(what), INFO)
    out = run.push(Block(x))
    assert run.info.channels.names == wanted
    assert run.info.channels.kinds == tuple(INFO.channels.kinds[NAMES.index(n)] for n in wanted)
    np.testing.assert_array_equal(out.data, x[:, [NAMES.index(n) for n in wanted]])


def test_neighbours_are_not_copied_and_others_are():
    block = Block(np.ones((5, 8), "f4"))
    near, far = Run(Pick(("C3", "Cz")), INFO).step(block), Run(Pick(("Cz", "C3")), INFO).step(block)
    assert np.shares_memory(near.data, block.data)
    assert not np.shares_memory(far.data, block.data)
    assert is_all_valid(near.valid)
    assert is_all_valid(far.valid)


@given(st.permutations(range(8)), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_data_mask_and_description_go_together(order, n, seed):
    rng = np.random.default_rng(seed)
    x, ok = rng.standard_normal((9, 8)).astype("f4"), rng.random((9, 8)) < 0.7
    run = Run(Pick(tuple(order[:n])), INFO)
    out = run.push(Block(x, 4, ok))
    np.testing.assert_array_equal(out.data, x[:, order[:n]])
    np.testing.assert_array_equal(out.valid, ok[:, order[:n]])
    assert run.info.channels.names == tuple(NAMES[i] for i in order[:n])
    assert out.start == 4


def test_samples_at_events_keep_their_place():
    info = INFO.but(rate=0)
    out = Run(Pick("eeg"), info).push(Block(np.zeros((2, 8), "f4"), at=np.array([3, 9])))
    np.testing.assert_array_equal(out.at, [3, 9])


@pytest.mark.parametrize(
    ("what", "words"),
    [("Cy", "Did you mean C"), ("fp1", "Fp1"), ("EEG*", "eeg"), (8, "below 8"), (-9, "below 8"), ("-*", "leaves none")],
)
def test_what_is_not_there_is_refused_with_near_names(what, words):
    with pytest.raises(ContractError, match="Pick needs") as e:
        Pick(what).describe(INFO)
    assert words in str(e.value)


def test_one_name_and_a_tuple_of_one_are_the_same_stage():
    assert Pick("eeg") == Pick(("eeg",))
    assert Pick("eeg") != Pick("eog")
