"""Benchmarks: the same job done by us and by others, outputs compared first, timed in turns on one core."""

from ranvier.evaluate.bench._clean import clean
from ranvier.evaluate.bench._eeg import eeg
from ranvier.evaluate.bench._fbcca import fbcca
from ranvier.evaluate.bench._implant import implant
from ranvier.evaluate.bench._options import Options
from ranvier.evaluate.bench._record import record
from ranvier.evaluate.bench._ring import ring
from ranvier.evaluate.bench._running import running
from ranvier.evaluate.bench._session import session
from ranvier.evaluate.bench._tables import markdown, sentences, tables

# name -> what it measures, and the function: Options, and what to tell of its progress -> results
BENCHES = {
    "implant": ("1,024 channels at 30 kHz: gain, reference, band-pass, spikes, power, Kalman", implant),
    "eeg": ("64 channels at 1 kHz: notch, band-pass, reference, covariance, tangent space, decision", eeg),
    "clean": ("64 channels at 1 kHz: integrity, bad channels, reference, mains, artefacts", clean),
    "fbcca": ("1 s of 9 channels at 250 Hz: canonical correlation with 40 flickering targets", fbcca),
    "ring": ("1,024 channels in blocks of 1 ms from one thread or process to another", ring),
    "record": ("1,024 channels at 30 kHz int16 to disk, compressed and safe", record),
    "running": ("the implant job live: a source in another process, the ring, a block at a time", running),
    "session": ("a whole session: arrival to command, recorder, viewers, busy cores", session),
}

__all__ = [
    "BENCHES",
    "Options",
    "clean",
    "eeg",
    "fbcca",
    "implant",
    "markdown",
    "record",
    "ring",
    "running",
    "sentences",
    "session",
    "tables",
]
