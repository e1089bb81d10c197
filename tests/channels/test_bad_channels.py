"""Planted faults are found for what they are, at the time they are there; clean channels are left alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.channels import BadChannels, ChannelVerdicts, CommonReference
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo
from tests.channels.planted import eeg, info, plant

REASONS = ["flat", "saturated", "lead-off", "mains", "noise", "bridged", "drifting", "uncorrelated", "deviant"]
SEEDS = (1, 2, 3)
WHERE, FROM, TO, SECONDS = 20, 20, 40, 50


def verdicts(x, about, valid=None, **parameters):
    """Return what is said about a whole recording: second, channel, label."""
    run = Run(ChannelVerdicts(**parameters), about)
    table = run.push(Block(x.astype("f4"), 0, valid)).table
    rate = float(about.rate)
    return [((int(e["sample"]) + 1) / rate, int(e["source"]), run.info.labels[int(e["code"])]) for e in table]


def mask(x, about, valid=None, **parameters):
    return Run(BadChannels(**parameters), about).push(Block(x.astype("f4"), 0, valid)).valid


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", [160, 250, 512])
def test_clean_channels_give_no_verdict(rate, seed):
    x = eeg(SECONDS, rate, seed)
    assert verdicts(x, info(rate)) == []
    assert verdicts(x, info(rate, positions=False)) == []
    assert mask(x, info(rate)).all()


@pytest.mark.parametrize("positions", [True, False], ids=["positions", "none"])
@pytest.mark.parametrize("reason", REASONS)
def test_a_planted_fault_is_found_and_its_end_too(reason, positions):
    for seed in SEEDS:
        x = eeg(SECONDS, 250, seed)
        plant(x, reason, WHERE, FROM * 250, TO * 250, 250, seed + 10)
        said = verdicts(x, info(250, positions=positions))
        broken = {WHERE, WHERE + 1} if reason == "bridged" else {WHERE}
        assert {c for _, c, _ in said} == broken
        for c in broken:
            bad = [(t, what) for t, channel, what in said if channel == c and what.startswith("bad")]
            good = [t for t, channel, what in said if channel == c and what == "good"]
            assert [what for _, what in bad] == [f"bad:{reason}"]
            assert FROM < bad[0][0] <= FROM + (1 if reason in ("flat", "saturated") else 4)
            assert good[-1:] == [t for t in good if TO + 5 <= t <= TO + 6]


@pytest.mark.parametrize("reason", ["flat", "noise", "uncorrelated"])
def test_the_mask_is_what_the_events_say(reason):
    x = eeg(SECONDS, 250, 4)
    plant(x, reason, WHERE, FROM * 250, TO * 250, 250, 5)
    wanted = np.ones(x.shape, bool)
    for t, c, what in verdicts(x, info(250)):
        wanted[round(t * 250) - 1 :, c] = not what.startswith("bad")
    found = mask(x, info(250))
    assert np.array_equal(found, wanted)
    assert not found.all()


def test_a_bad_channel_is_left_out_of_the_reference():
    x = eeg(30, 250, 6).astype("f4")
    plant(x, "deviant", WHERE, 10 * 250, 30 * 250, 250, 7)
    found = mask(x, info(250))
    chained = Run(BadChannels() | CommonReference(), info(250)).push(Block(x))
    told = Run(CommonReference(), info(250)).push(Block(x, 0, found))
    assert np.array_equal(chained.data, told.data)
    assert np.array_equal(chained.valid, told.valid)
    late = slice(20 * 250, None)
    others = np.delete(x[late], WHERE, axis=1).astype("f8")
    mine = np.delete(chained.data[late], WHERE, axis=1)
    assert np.abs(mine - (others - others.mean(1, keepdims=True))).max() < 1e-3


def test_a_short_disturbance_makes_suspect_only():
    x = eeg(20, 250, 8)
    plant(x, "deviant", WHERE, 10 * 250, 12 * 250, 250, 9)
    assert [what for _, _, what in verdicts(x, info(250))] == ["suspect:deviant", "good"]
    assert mask(x, info(250)).all()


def test_between_the_limits_a_channel_stays_what_it_is():
    x = eeg(60, 250, 10)
    t = np.arange(len(x)) / 250
    share = np.select([t < 20, t < 40], [0.45, 0.75], 0.45)  # between 0.8 and 1 of the limit of 1/2, beyond it, back
    hum = np.sqrt(share / (1 - share)) * np.sin(2 * np.pi * 50 * t)
    x[:, WHERE] = 14 * (np.sin(2 * np.pi * 9.7 * t) + hum)
    said = verdicts(x, info(250), ignore=("uncorrelated", "unpredicted", "deviant", "noise", "lead-off"))
    assert [what for _, _, what in said] == ["suspect:mains", "bad:mains"]
    assert 20 < said[0][0] < said[1][0] <= 24


def test_lost_channels_are_bad_and_come_back():
    x, valid = eeg(30, 250, 11), np.ones((30 * 250, 64), bool)
    valid[10 * 250 : 20 * 250, WHERE] = False
    valid[3 * 250 : 3 * 250 + 100] = False  # 0.4 s of all channels: less than half a hop
    x[~valid] = 1e30
    said = verdicts(x, info(250), valid)
    assert [(t, c, what) for t, c, what in said] == [
        (11.0, WHERE, "suspect:lost"), (13.0, WHERE, "bad:lost"), (25.0, WHERE, "good")
    ]  # fmt: skip


def test_what_most_channels_do_is_no_fault():
    rng = np.random.default_rng(12)
    x = 10 * rng.standard_normal((20 * 250, 64))
    assert verdicts(x, info(250)) == []  # no two are correlated
    x = eeg(20, 250, 13)
    x += 200 * np.sin(2 * np.pi * 50 * np.arange(len(x)) / 250)[:, None]
    assert verdicts(x, info(250)) == []


def test_few_channels_are_judged_by_themselves_alone():
    x = eeg(20, 250, 14)[:, :3]
    plant(x, "uncorrelated", 0, 5 * 250, 20 * 250, 250, 15)
    plant(x, "flat", 1, 5 * 250, 20 * 250, 250, 16)
    about = StreamInfo.signal(250, Channels.of(["a", "b", "c"], "eeg", "uV"))
    assert [(c, what) for _, c, what in verdicts(x, about)] == [(1, "bad:flat")]


def test_a_channel_that_stands_at_the_rail_is_saturated():
    x = eeg(10, 250, 17)
    x[1000:, WHERE], x[1000:, 3] = -187500.0, 0.0
    said = {c: what for _, c, what in verdicts(x, info(250), rail=187500.0)}
    assert said == {WHERE: "bad:saturated", 3: "bad:flat"}


def test_a_rail_is_known_by_what_the_samples_are_not_by_the_mean_of_many():
    x = np.random.default_rng(60).standard_normal((60_000, 4)).astype("f4")
    x[30_000:, 1], x[30_000:, 2] = -187_500.0, 187_400.0
    about = StreamInfo.signal(30_000, Channels.of(4, "spikes"))
    said = verdicts(x, about, rail=187_500.0, band=(300.0, 3000.0), noise=12_000.0, correlation=0.0)
    assert [(t, c, what) for t, c, what in said] == [(2.0, 1, "bad:saturated"), (2.0, 2, "bad:flat")]


def test_other_kinds_and_ignored_reasons_are_not_judged():
    x = eeg(20, 250, 18)[:, :16]
    plant(x, "flat", 15, 0, 20 * 250, 250, 19)
    plant(x, "uncorrelated", 3, 0, 20 * 250, 250, 20)
    kinds = ["eeg"] * 15 + ["trigger"]
    about = StreamInfo.signal(250, Channels.of(16, kinds, "uV"))
    assert {c for _, c, _ in verdicts(x, about)} == {3}
    assert verdicts(x, about, ignore=("uncorrelated",)) == []


def shanks(rate=250):
    """Return two shanks of 16 whose amplitudes, sources and mains differ by far, as one stream."""
    a, b = eeg(20, rate, 51)[:, :16], eeg(20, rate, 52)[:, :16]
    b = 12 * b + 300 * np.sin(2 * np.pi * 50 * np.arange(len(b)) / rate)[:, None]
    channels = Channels.of(32, "lfp", "uV", None, ["a"] * 16 + ["b"] * 16)
    return np.column_stack([a, b]), StreamInfo.signal(rate, channels)


def test_shanks_are_judged_each_by_itself():
    x, about = shanks()
    assert verdicts(x, about) == []
    plant(x, "deviant", 3, 5 * 250, 20 * 250, 250, 53)  # eight times as large: still smaller than the other shank
    plant(x, "uncorrelated", 20, 5 * 250, 20 * 250, 250, 54)
    bad = {(c, what) for _, c, what in verdicts(x, about) if what.startswith("bad")}
    assert bad == {(3, "bad:deviant"), (20, "bad:uncorrelated")}
    one = about.but(channels=Channels.of(32, "lfp"))
    as_one = {(c, what) for _, c, what in verdicts(x, one) if what.startswith("bad")}
    assert as_one != bad  # negative control: among each other they are judged wrongly


def test_kinds_are_judged_each_by_itself_and_what_is_not_brain_alone():
    rng = np.random.default_rng(55)
    x = np.column_stack([eeg(20, 250, 56)[:, :16], 300 * rng.standard_normal((5000, 4))])
    x[:, 16:18] *= 0.05
    about = StreamInfo.signal(250, Channels.of(20, ["eeg"] * 16 + ["eog"] * 2 + ["emg"] * 2))
    assert verdicts(x, about) == []
    x[2500:, 17], x[2500:, 19] = x[2500, 17], np.clip(x[2500:, 19], -200, 200)
    assert [(t, c, what) for t, c, what in verdicts(x, about)] == [(11.0, 17, "bad:flat"), (11.0, 19, "bad:saturated")]


def test_small_groups_of_a_kind_are_compared_together():
    x = eeg(20, 250, 57)[:, :16]
    plant(x, "deviant", 5, 5 * 250, 20 * 250, 250, 58)
    for size in (2, 4, 16):
        about = StreamInfo.signal(250, Channels.of(16, "seeg", groups=[f"{i // size}" for i in range(16)]))
        assert {c for _, c, what in verdicts(x, about) if what == "bad:deviant"} == {5}


def test_both_sides_of_a_bridge_are_bad_and_name_each_other():
    x = eeg(20, 250, 59)
    for c in (10, 40):
        plant(x, "bridged", c, 5 * 250, 20 * 250, 250, c)
    run = Run(ChannelVerdicts(), info(250))
    table = run.push(Block(x.astype("f4"))).table
    bad = [e for e in table if run.info.labels[int(e["code"])] == "bad:bridged"]
    assert {(int(e["source"]), int(e["value"])) for e in bad} == {(10, 11), (11, 10), (40, 41), (41, 40)}


@pytest.mark.parametrize("offset", [-5e4, 1.8e5])
def test_offsets_of_the_electrodes_change_no_verdict(offset):
    x = eeg(30, 250, 21)
    plant(x, "noise", WHERE, 10 * 250, 20 * 250, 250, 22)
    shifted = x + offset * np.linspace(0.5, 1, 64)
    names = [(c, what) for _, c, what in verdicts(x, info(250))]
    assert [(c, what) for _, c, what in verdicts(shifted, info(250))] == names


def broken():
    """Return six seconds of 20 channels, two of them broken from 2 s on, and a mask with holes."""
    x = eeg(6, 125, 23, n=20).astype("f4")
    plant(x, "flat", 4, 300, 500, 125, 24)
    plant(x, "noise", 7, 200, 600, 125, 25)
    return x, np.random.default_rng(26).random(x.shape) > 0.01


SCENE = broken()
SHORT = {"hop": 0.5, "patience": 2, "recovery": 2}


@given(cuts=st.lists(st.integers(0, 400), min_size=1, max_size=25), start=st.integers(-300, 300))
def test_any_cut_gives_the_same(cuts, start):
    x, valid = SCENE
    about = info(125, 20)
    for stage in (BadChannels(**SHORT), ChannelVerdicts(**SHORT)):
        whole = Run(stage, about).push(Block(x, start, valid))
        run, at, parts = Run(stage, about), 0, []
        for n in [*cuts, len(x)]:
            parts.append(run.push(Block(x[at : at + n], start + at, valid[at : at + n])))
            at = min(at + n, len(x))
        if isinstance(stage, BadChannels):
            assert not whole.valid[430:500, 4].any()
            assert np.array_equal(np.concatenate([p.valid for p in parts]), whole.valid)
        else:
            assert len(whole.table)
            assert np.array_equal(np.concatenate([p.table for p in parts]), whole.table)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"hop": 0.01}, "hop of 32"), ({"patience": 0}, "1 to 1000 hops of patience"),
        ({"band": (1.0, 200.0)}, "rate/2"),
        ({"ignore": ("ugly",)}, "reasons to ignore that it knows"), ({"correlation": 1.5}, "correlation"),
        ({"ransac": -1}, "0 to 1000 subsets"), ({"rail": 0.0}, "rail"), ({"mains": 1.0}, "mains"),
        ({"share": 2.0}, "share <= 1"),
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_are_refused(parameters, text):
    with pytest.raises(ContractError, match=text):
        BadChannels(**parameters).describe(info(250))
