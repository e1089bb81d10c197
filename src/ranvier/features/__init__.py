"""What a decoder reads: windows, epochs, power, covariance, spikes."""

from ranvier.features._counts import BinnedCounts
from ranvier.features._covariance import Covariance
from ranvier.features._envelope import Envelope
from ranvier.features._epoch import Epoch
from ranvier.features._power import BandPower, SpikeBandPower
from ranvier.features._simultaneous import RejectSimultaneous
from ranvier.features._spikes import Spikes
from ranvier.features._variance import LogVariance
from ranvier.features._window import Window

__all__ = [
    "BandPower",
    "BinnedCounts",
    "Covariance",
    "Envelope",
    "Epoch",
    "LogVariance",
    "RejectSimultaneous",
    "SpikeBandPower",
    "Spikes",
    "Window",
]
