"""From what the electrodes give to what can be trusted: integrity, filters, other rates."""

from ranvier.denoise._decimate import Decimate
from ranvier.denoise._fir import FIR
from ranvier.denoise._iir import Bandpass, Highpass, Lowpass, Notch
from ranvier.denoise._integrity import Integrity
from ranvier.denoise._resample import Resample
from ranvier.denoise._standardise import Standardise

__all__ = [
    "FIR",
    "Bandpass",
    "Decimate",
    "Highpass",
    "Integrity",
    "Lowpass",
    "Notch",
    "Resample",
    "Standardise",
]
