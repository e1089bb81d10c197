"""From what the electrodes give to what can be trusted: filters, integrity, resampling."""

from ranvier.denoise._iir import Bandpass, Highpass, Lowpass, Notch

__all__ = ["Bandpass", "Highpass", "Lowpass", "Notch"]
