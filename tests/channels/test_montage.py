"""Montage: places from names, against MNE's table."""

import numpy as np
import pytest

from ranvier.channels import Interpolate, Laplacian, Montage
from ranvier.errors import ContractError
from ranvier.stream import Channels, StreamInfo


def places(names, kind="eeg", stage=None, positions=None):
    info = StreamInfo.signal(250, Channels.of(names, kind, "uV", positions))
    return (stage or Montage()).describe(info).channels.positions


def test_places_are_those_of_mne():
    mne = pytest.importorskip("mne")
    try:
        peer = mne.channels.make_standard_montage("colin27_1005")
    except ValueError:  # its name before MNE 1.13
        peer = mne.channels.make_standard_montage("standard_1005")
    head = mne.channels.montage.compute_native_head_t(peer)
    names = [n for n in peer.ch_names if n.lower() not in ("t3", "t4", "t5", "t6")]
    expected = mne.transforms.apply_trans(head, np.array([peer.get_positions()["ch_pos"][n] for n in names]))
    np.testing.assert_allclose(np.array(places(names)), expected, atol=0.51e-4)  # written to 0.1 mm


def test_names_as_amplifiers_write_them():
    written = ["Fc5.", "EEG T7-REF", "fp1", "CZ ", "EEG C3-LE", "P8..", "EEG O1-A2"]
    plain = ["FC5", "T7", "Fp1", "Cz", "C3", "P8", "O1"]
    assert places(written) == places(plain)


def test_left_is_left_and_front_is_front():
    c3, c4, fz, oz = places(["C3", "C4", "Fz", "Oz"])
    assert c3[0] < -0.05 < 0.05 < c4[0]
    assert oz[1] < 0 < fz[1]


def test_what_was_measured_is_kept_and_what_is_no_eeg_is_left_alone():
    mine = (0.01, 0.02, 0.03)
    got = places(["Cz", "C3", "EOG"], ["eeg", "eeg", "eog"], positions=[mine, None, None])
    assert got == (mine, places(["C3"])[0], None)


def test_sites_and_places_for_channels_with_numbers():
    assert places(["ch0", "ch1"], stage=Montage(sites=("C3", "C4"))) == places(["C3", "C4"])
    assert places(["ch0"], stage=Montage(places=((0.0, 0.0, 0.1),))) == ((0.0, 0.0, 0.1),)


@pytest.mark.parametrize(
    ("names", "kind", "stage", "said"),
    [
        (["Cz", "X7"], "eeg", Montage(), "got X7 \\(1 of 2\\)"),
        (["C3-C4"], "eeg", Montage(), "got C3-C4"),
        (["Cz"], "emg", Montage(), "kinds emg"),
        (["Cz", "C3"], "eeg", Montage(sites=("Cz",)), "each of the 2 channels"),
        (["Cz"], "eeg", Montage(places=((0, 0, 0), (0, 0, 1))), "each of the 1 channels"),
    ],
)
def test_what_cannot_be_placed_is_refused(names, kind, stage, said):
    with pytest.raises(ContractError, match=said):
        places(names, kind, stage)


def test_a_name_without_end_is_no_site():
    """From a file that somebody made: it would take minutes."""
    with pytest.raises(ContractError, match="sites of the 10-05 system"):
        places(["Cz", "_" * 100_000 + "x"])


def test_what_needs_places_takes_them():
    info = StreamInfo.signal(250, Channels.of(["Fc5.", "Fc3.", "Cz..", "Fcz.", "Oz..", "Fc4."]))
    for stage in (Interpolate(), Laplacian()):
        with pytest.raises(ContractError, match="positions"):
            stage.describe(info)
        (Montage() | stage).describe(info)
