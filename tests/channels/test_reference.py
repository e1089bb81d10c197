"""CommonReference against NumPy on the valid electrodes of each instant, and its order of summation to the bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.channels import CommonReference, Scale
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo, is_all_valid

SEED = 8101


def nan_aware(x, ok, method, groups, taking, giving, least):
    """The definition with NumPy's nan functions, in double precision."""
    x = np.where(ok, x.astype(float), np.nan)
    y, valid = x.copy(), ok.copy()
    for g in set(groups):
        take = [i for i in range(x.shape[1]) if groups[i] == g and taking[i]]
        give = [i for i in take if giving[i]]
        for t in range(len(x)):
            those = x[t, give][ok[t, give]]
            if len(those) >= least:
                y[t, take] -= np.mean(those) if method == "mean" else np.median(those)
            else:
                valid[t, take] = False
    return y, valid


@given(
    st.sampled_from(["mean", "median"]),
    st.sampled_from(["all", "group"]),
    st.integers(5, 70),
    st.integers(2, 4),
    st.sampled_from([0.0, 0.1, 0.6]),
    st.sampled_from(["f4", "f8", "i2"]),
    st.integers(0, 2**32 - 1),
)
def test_equals_numpy_on_the_valid_electrodes(method, by, n, least, lost, dtype, seed):
    rng = np.random.default_rng(seed)
    kinds = ["eeg" if i < 5 or rng.random() < 0.8 else "trigger" for i in range(n)]
    groups = ["ab"[int(rng.random() < 0.4)] if i >= 5 else "a" for i in range(n)]
    out = {i for i in range(n) if i >= 5 and rng.random() < 0.1}
    if any(g == "b" for g in groups):
        for g in "ab":  # enough electrodes in every group, or the stage refuses
            if sum(groups[i] == g and kinds[i] == "eeg" and i not in out for i in range(n)) < least:
                groups = ["a"] * n
    x = (rng.standard_normal((12, n)) * 1000).astype(dtype)
    ok = rng.random((12, n)) >= lost
    info = StreamInfo.signal(250, Channels.of(n, kinds, groups=groups), dtype=dtype)
    names = tuple(info.channels.names[i] for i in sorted(out))
    got = Run(CommonReference(method, by, names, least), info).push(Block(x, 0, ok))
    eeg = [k == "eeg" for k in kinds]
    y, valid = nan_aware(
        x,
        ok,
        method,
        groups if by == "group" else [""] * n,
        eeg,
        [e and i not in out for i, e in enumerate(eeg)],
        least,
    )
    np.testing.assert_array_equal(got.valid, valid)
    np.testing.assert_allclose(got.data[valid], y[valid], atol=1e-3 if dtype != "f8" else 1e-9)
    assert not got.data[~valid].any()


def lanes_by_hand(row):
    """The documented order of summation, one addition at a time, in Python."""
    lanes = [np.float32(0)] * 16
    for i, v in enumerate(row):
        lanes[i % 16] = np.float32(lanes[i % 16] + v)
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [np.float32(lanes[i] + lanes[i + half]) for i in range(half)]
    return lanes[0]


@pytest.mark.parametrize("n", [2, 16, 33, 64, 100])
def test_the_mean_is_the_documented_one_to_the_bit(n):
    x = np.random.default_rng(SEED).standard_normal((6, n)).astype("f4") * np.float32(100)
    out = Run(CommonReference(), StreamInfo.signal(250, n)).push(Block(x))
    wanted = np.stack([row - np.float32(lanes_by_hand(row) / np.float32(n)) for row in x])
    np.testing.assert_array_equal(out.data, wanted)
    assert is_all_valid(out.valid)


def test_an_invalid_electrode_and_one_that_is_not_there_give_the_same_bits():
    x = np.random.default_rng(SEED).standard_normal((50, 32)).astype("f4")
    ok = np.ones((50, 32), bool)
    ok[:, 31] = False
    masked = Run(CommonReference(), StreamInfo.signal(250, 32)).push(Block(x, 0, ok))
    without = Run(CommonReference(), StreamInfo.signal(250, 31)).push(Block(x[:, :31]))
    np.testing.assert_array_equal(masked.data[:, :31], without.data)


def test_the_median_is_not_moved_by_a_wild_electrode_and_the_mean_is():
    x = np.random.default_rng(SEED).standard_normal((200, 21)).astype("f4")
    wild = x.copy()
    wild[:, 4] += 1e4
    keep = np.arange(21) != 4
    change = {}
    for method in ("mean", "median"):
        run = Run(CommonReference(method), StreamInfo.signal(250, 21))
        a, b = run.push(Block(x)).data, run.push(Block(wild, 200)).data
        change[method] = np.abs(a - b)[:, keep].max()
    assert change["median"] < 1
    assert change["mean"] > 400


def test_what_all_electrodes_share_is_removed_and_others_are_untouched():
    rng = np.random.default_rng(SEED)
    common = 500 * rng.standard_normal((100, 1))
    own = rng.standard_normal((100, 10))
    x = own + common
    info = StreamInfo.signal(250, Channels.of(10, ["eeg"] * 8 + ["eog", "trigger"]), dtype="f8")
    out = Run(CommonReference(), info).push(Block(x)).data
    np.testing.assert_allclose(out[:, :8], own[:, :8] - own[:, :8].mean(1, keepdims=True), atol=1e-10)
    np.testing.assert_array_equal(out[:, 8:], x[:, 8:])


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (CommonReference(least=4), "at least 4 electrodes; got 3 of 4"),
        (CommonReference(by="group"), "in group 'b'; got 1"),
        (CommonReference(exclude=("C3", "C4")), "at least 2 electrodes; got 1"),
        (CommonReference(exclude=("C5",)), "Did you mean"),
        (CommonReference(least=1), "least >= 2"),
        (CommonReference("max"), "'mean' or 'median'"),
    ],
)
def test_references_that_cannot_be_are_refused(stage, words):
    info = StreamInfo.signal(250, Channels.of(["C3", "C4", "Cz", "T"], ["eeg"] * 3 + ["trigger"], groups=list("aabb")))
    with pytest.raises(ContractError) as e:
        stage.describe(info)
    assert words in str(e.value)


def test_a_group_with_too_few_valid_channels_is_invalid_fused_or_not(monkeypatch):
    info = StreamInfo.signal(250, Channels.of(64, groups=["a"] * 32 + ["b"] * 32))
    x = np.random.default_rng(3).standard_normal((100, 64)).astype(np.float32)
    valid = np.ones((100, 64), bool)
    valid[60:, 16:32] = False  # 16 of 32 are left, whole vectors of them
    for fuse in ("0", "1"):
        monkeypatch.setenv("RANVIER_FUSE", fuse)
        run = Run(Scale(2.0) | CommonReference(by="group", least=20) | Scale(0.5), info)
        run.push(Block(x[:10]))  # primed: from here on the unmasked loop may be taken
        out = run.push(Block(x[10:], 10, valid[10:]))
        assert out.valid[:50].all()
        assert out.valid[50:, 32:].all()
        assert not out.valid[50:, :32].any()


def test_channels_that_are_no_electrodes_and_mixed_units_are_refused():
    for kind, unit, text in (("eog", "uV", "needs electrodes"), ("eeg", ["uV", "mV", "uV"], "one unit")):
        info = StreamInfo.signal(250, Channels.of(3, kind, unit))
        with pytest.raises(ContractError, match=text):
            CommonReference(by="group").describe(info)
