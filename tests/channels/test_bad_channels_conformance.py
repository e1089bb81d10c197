"""BadChannels and ChannelVerdicts pass the whole suite: any cut, masks, segments, save and restore."""

import pytest

from ranvier.channels import BadChannels, ChannelVerdicts
from ranvier.stream import Channels, StreamInfo
from ranvier.testing import check_stage
from tests.channels.planted import head

KINDS = ("eeg",) * 7 + ("trigger",)


def info(n, dtype="f4", rate=250, positions=None):
    kinds = KINDS if n == 8 else "eeg"
    return StreamInfo.signal(rate, Channels.of([f"E{i}" for i in range(n)], kinds, "uV", positions), dtype=dtype)


@pytest.mark.parametrize("cls", [BadChannels, ChannelVerdicts])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i4"])
def test_conforms_for_every_type_of_number(cls, dtype):
    check_stage(cls(hop=0.2, ransac=0, deviation=0.5), info(8, dtype))


@pytest.mark.parametrize("n", [1, 3, 16, 33])
def test_conforms_for_any_number_of_channels(n):
    check_stage(BadChannels(hop=0.2, recovery=2), info(n))
    if n > 3:  # fewer are not compared, and noise alone gives no verdict
        check_stage(ChannelVerdicts(hop=0.13, patience=1, recovery=2, deviation=0.5), info(n))


def test_conforms_with_prediction_from_positions():
    check_stage(BadChannels(hop=0.2, deviation=1.0), info(20, positions=head(20)))
    check_stage(ChannelVerdicts(hop=0.2, noise=500.0, mains=0.0, deviation=1.0), info(20, "f8", positions=head(20)))


def test_conforms_where_a_part_of_each_hop_is_listened_to():
    check_stage(BadChannels(hop=0.4, share=0.5), info(17))
    check_stage(ChannelVerdicts(hop=0.4, share=0.5, deviation=1.0), info(16))


def test_conforms_with_groups_and_other_kinds():
    kinds = ["lfp"] * 12 + ["eog", "emg", "trigger"]
    groups = ["a"] * 5 + ["b"] * 5 + ["c"] * 2 + [""] * 3
    about = StreamInfo.signal(250, Channels.of(15, kinds, groups=groups))
    check_stage(BadChannels(hop=0.2), about)
    check_stage(ChannelVerdicts(hop=0.2, deviation=0.5), about)
