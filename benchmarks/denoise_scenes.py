"""Semi-synthetic EEG with artefacts whose every sample is known: scenes and seeds fixed before any method was written.

Clean EEG is real: eyes closed (EEGMMIDB S001 run 2, 64 channels, 160 Hz), behind a causal 1-Hz high-pass. Its first
half is for calibration and stays as it is; to the second half artefacts are added, of which references (EOG,
accelerometer) see a noisy copy. What is to be given back is the second half as it was.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
KINDS = ("none", "blinks", "muscle", "motion", "pops", "all")
SEEDS = (5101, 5102, 5103)
REFERENCES = ("EOG", "ACCX", "ACCY", "ACCZ")


@dataclass(frozen=True, eq=False)
class Scene:
    """Calibration ``(n_c, n)``, truth and artefact ``(n_t, n)`` [uV], references ``(n_c + n_t, 4)`` [uV, m/s2]."""

    kind: str
    seed: int
    rate: float
    names: tuple
    calibration: np.ndarray
    truth: np.ndarray
    artefact: np.ndarray
    references: np.ndarray
    blinks: np.ndarray  # places of their peaks in the second half

    @property
    def mixed(self):
        return self.truth + self.artefact

    @property
    def touched(self):
        """Samples in which there is an artefact of at least 1 uV in some channel."""
        return np.abs(self.artefact).max(axis=1) >= 1.0


def clean(path="eegmmidb_s001/S001R02.edf"):
    """Return rate, names, positions [m] and real EEG without offset and drift ``(n, n_channels)`` [uV]."""
    import mne

    from ranvier import denoise, record
    from ranvier.stage import Run
    from ranvier.stream import Block

    rec = record.open(DATA / path, partial=True)  # our copy lacks the last second
    x = np.concatenate([b.data for b in rec.blocks(4096)]).astype(float)
    names = tuple(n.strip(". ") for n in rec.info.channels.names)
    run = Run(denoise.Highpass(1.0), rec.info.but(dtype=np.dtype(float)))
    x = run.push(Block(x)).data[int(3 * rec.info.rate) :]  # the high-pass has settled
    places = mne.channels.make_standard_montage("colin27_1005").get_positions()["ch_pos"]
    where = {k.lower(): v for k, v in places.items()}
    return float(rec.info.rate), names, np.array([where[n.lower()] for n in names]), x


def make(kind, seed, base):
    """Make a scene of a kind of `KINDS`."""
    rate, names, places, x = base
    half = len(x) // 2
    n, c = len(x) - half, len(names)
    rng = np.random.default_rng(seed)
    makers = {"blinks": _blinks, "muscle": _muscle, "motion": _motion, "pops": _pops}
    artefact, peaks = np.zeros((n, c)), np.zeros(0, int)
    refs = np.zeros((len(x), 4))
    refs[:, 0] = 0.5 * x[:, [names.index("Fp1"), names.index("Fp2")]].mean(axis=1) + 2 * rng.standard_normal(len(x))
    refs[:, 1:] = 0.02 * rng.standard_normal((len(x), 3))  # [m/s2]: what a resting accelerometer shows
    for name, maker in makers.items():
        own = np.random.default_rng([seed, len(name)])
        added, seen, at = maker(own, rate, names, places, n)
        if kind in (name, "all"):
            artefact += added
            refs[half:] += seen
            peaks = at if len(at) else peaks
    return Scene(kind, seed, rate, names, x[:half], x[half:], artefact, refs, peaks)


def _near(places, at, width):
    return np.exp(-(((places - at) ** 2).sum(axis=1)) / (2 * width**2))


def _blinks(rng, rate, names, places, n):
    """Twelve blinks of 100 to 250 uV, 0.35 s, that rise faster than they fall; the EOG sees them double."""
    eyes = places[[names.index("Fp1"), names.index("Fp2")]].mean(axis=0)
    gain = _near(places, eyes, 0.045)
    t = np.arange(int(0.35 * rate)) / (0.35 * rate)
    shape = np.sin(np.pi * t**0.7) ** 2
    source = np.zeros(n)
    starts = np.linspace(0.04, 0.94, 12) * n + rng.uniform(-0.5, 0.5, 12) * rate
    for s in starts.astype(int):
        source[s : s + len(t)] += rng.uniform(100, 250) * shape
    seen = np.zeros((n, 4))
    seen[:, 0] = 2 * source
    return source[:, None] * gain, seen, starts.astype(int) + int(shape.argmax())


def _muscle(rng, rate, names, places, n):
    """Eight bursts of 0.4 to 1.5 s, each of three sources at temples and neck, 20 to 70 Hz, 20 to 50 uV rms."""
    out = np.zeros((n, len(names)))
    for _ in range(8):
        length = int(rng.uniform(0.4, 1.5) * rate)
        start = int(rng.uniform(0, n - length))
        for _ in range(3):
            at = places[names.index(rng.choice(["T7", "T8", "Ft7", "Ft8", "Tp7", "Tp8", "Iz", "T9", "T10"]))]
            spectrum = np.fft.rfft(rng.standard_normal(length))
            f = np.fft.rfftfreq(length, 1 / rate)
            burst = np.fft.irfft(np.where((f > 20) & (f < 70), spectrum, 0), length)
            burst *= rng.uniform(20, 50) / burst.std() * np.hanning(length) ** 0.5
            out[start : start + length] += burst[:, None] * _near(places, at, 0.025)
    return out, np.zeros((n, 4)), np.zeros(0, int)


def _motion(rng, rate, names, places, n):
    """Three walks of 5 s: steps at 1.8 Hz with harmonics; electrodes follow the accelerometer by taps of their own."""
    t = np.arange(n) / rate
    steps = np.cumsum(1.8 + 0.1 * rng.standard_normal(n) * np.sqrt(rate) / rate) / rate
    weights, turns = rng.uniform(0.2, 1, (4, 3)), rng.uniform(0, 2 * np.pi, (4, 3))
    accelerations = sum(
        weights[h] * np.sin(2 * np.pi * (h + 1) * steps[:, None] + turns[h]) for h in range(4)
    ) + 0.2 * rng.standard_normal((n, 3))
    walking = np.zeros(n)
    for start in (0.1, 0.42, 0.74):
        length = int(5 * rate)
        walking[int(start * n) : int(start * n) + length] = np.hanning(length) ** 0.25
    accelerations *= walking[:, None]
    taps = max(2, round(0.05 * rate))
    drift = 1 + 0.3 * np.sin(2 * np.pi * t / 20 + rng.uniform(0, 2 * np.pi))
    mixing = rng.standard_normal((taps, 3, len(names))) * np.exp(-np.arange(taps) / 2)[:, None, None]
    common = 0.5 * rng.standard_normal((taps, 3, 1)) * np.exp(-np.arange(taps) / 2)[:, None, None]
    out = np.zeros((n, len(names)))
    for k in range(taps):
        moved = np.vstack([np.zeros((k, 3)), accelerations[: n - k]])
        out += moved @ (mixing[k] + common[k])
    out *= 20 / out[walking > 0.5].std() * drift[:, None]
    seen = np.zeros((n, 4))
    seen[:, 1:] = accelerations
    return out, seen, np.zeros(0, int)


def _pops(rng, rate, names, places, n):
    """Ten pops, one electrode each: a jump of 100 to 400 uV that decays in 0.15 s."""
    out = np.zeros((n, len(names)))
    t = np.arange(int(1.0 * rate)) / rate
    for _ in range(10):
        start = int(rng.uniform(0, n - len(t)))
        out[start : start + len(t), rng.integers(len(names))] += (
            rng.choice([-1, 1]) * rng.uniform(100, 400) * np.exp(-t / 0.15)
        )
    return out, np.zeros((n, 4)), np.zeros(0, int)
