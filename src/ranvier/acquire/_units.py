"""Units as devices write them, and the entrance that makes of their numbers what the house reckons in."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from ranvier.stage import Stage, chain, parallel
from ranvier.stream import Channels

_VOLTS = {
    "uv": 1.0, "microvolt": 1.0, "microvolts": 1.0, "\u00b5v": 1.0, "\u03bcv": 1.0,
    "mv": 1e3, "millivolt": 1e3, "millivolts": 1e3,
    "v": 1e6, "volt": 1e6, "volts": 1e6,
    "nv": 1e-3, "nanovolt": 1e-3, "nanovolts": 1e-3,
}  # fmt: skip
KINDS = {
    "eeg": "eeg", "ecog": "ecog", "ieeg": "ecog", "seeg": "seeg", "eog": "eog", "emg": "emg", "ecg": "ecg",
    "exg": "eeg", "lfp": "lfp", "stim": "trigger", "trigger": "trigger", "triggers": "trigger", "markers": "trigger",
    "marker": "trigger", "accelerometer": "motion", "acc": "motion", "accelerometers": "motion", "gyro": "motion",
    "gyroscope": "motion", "mocap": "motion", "imu": "motion", "motion": "motion", "spikes": "spikes", "dbs": "dbs",
    "misc": "misc", "aux": "misc", "feature": "feature",
}  # fmt: skip
POTENTIALS = frozenset({"eeg", "ecog", "seeg", "eog", "emg", "ecg", "lfp", "spikes", "dbs"})


def volts_of(unit: str) -> float | None:
    """Return the uV of one of a unit of voltage, or None.

    >>> volts_of("millivolts")
    1000.0
    """
    return _VOLTS.get(unit.strip().lower())


def kind_of(text: str, otherwise: str) -> str:
    """Return the kind of channel that a device's word for it means."""
    return KINDS.get(text.strip().lower(), otherwise)


def entrance(channels: Channels, gains: list[float], units: list[str], rail: float | None, flat: float | None) -> Stage:
    """Return `Integrity` followed by what brings each channel into its unit.

    Parameters
    ----------
    channels
        As delivered.
    gains, units
        Of each: new units in one old one, and their name.
    rail, flat
        As for `Integrity`.
    """
    from ranvier.channels import Pick, Scale  # slow to import
    from ranvier.denoise import Integrity

    def scale(index: list[int]) -> Any:
        own = [gains[i] for i in index]
        return Scale(own[0] if len(set(own)) == 1 else tuple(own), units[index[0]])

    first = Integrity(rail=rail, flat=flat)
    if list(channels.units) == units and set(gains) <= {1.0}:
        return first
    groups = [[i for i, _ in g] for _, g in groupby(enumerate(units), key=lambda pair: pair[1])]
    if len(groups) == 1:
        return chain(first, scale(groups[0]))
    return chain(first, parallel(*[chain(Pick(tuple(channels.names[i] for i in g)), scale(g)) for g in groups]))
