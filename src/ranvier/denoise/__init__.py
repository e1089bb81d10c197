"""From electrodes to what can be trusted: integrity, filters, mains, artefacts, stimulation, other rates."""

from ranvier.denoise._asr import ASR
from ranvier.denoise._blank import Blank
from ranvier.denoise._decimate import Decimate
from ranvier.denoise._fir import FIR
from ranvier.denoise._iir import Bandpass, Highpass, Lowpass, Notch
from ranvier.denoise._integrity import Integrity
from ranvier.denoise._line_noise import LineNoise
from ranvier.denoise._lms import LMS
from ranvier.denoise._parrm import PARRM
from ranvier.denoise._period import find_period
from ranvier.denoise._resample import Resample
from ranvier.denoise._rls import RLS
from ranvier.denoise._standardise import Standardise
from ranvier.denoise._subspace import SubspaceReconstruction
from ranvier.denoise._template import Template
from ranvier.denoise._whiten import Whiten, Whitened
from ranvier.denoise._zapline import ZapLine

__all__ = [
    "ASR",
    "Bandpass",
    "Blank",
    "Decimate",
    "FIR",
    "Highpass",
    "Integrity",
    "LMS",
    "LineNoise",
    "Lowpass",
    "Notch",
    "PARRM",
    "RLS",
    "Resample",
    "Standardise",
    "SubspaceReconstruction",
    "Template",
    "Whiten",
    "Whitened",
    "find_period",
    "ZapLine",
]
