"""A head of 64 electrodes whose channels are clean, and faults that can be planted in it; all from seeds."""

import numpy as np

from ranvier.stream import Channels, StreamInfo

N, SOURCES, ALPHA = 64, 60, 6


def head(n):
    """Return places on a sphere of 9 cm, spread evenly [m]."""
    k = np.arange(n)
    z, turn = 1 - 1.2 * (k + 0.5) / n, k * np.pi * (3 - 5**0.5)
    across = np.sqrt(1 - z**2)
    return [tuple(map(float, p)) for p in 0.09 * np.column_stack([across * np.cos(turn), across * np.sin(turn), z])]


def coloured(n, m, rate, rng):
    """Return unit noise whose power falls as 1/f from 1 Hz on."""
    f = np.fft.rfftfreq(n, 1 / rate)
    white = np.fft.rfft(rng.standard_normal((n, m)), axis=0)
    x = np.fft.irfft(white * np.where(f > 0.3, 1 / np.maximum(f, 1) ** 0.5, 0)[:, None], n, axis=0)
    return x / x.std(0)


def eeg(seconds, rate, seed, n=N, places=None):
    """Return clean EEG [uV]: smooth sources below the electrodes, alpha, a little mains, 1 uV of sensor noise."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * rate)
    where = np.array(head(n) if places is None else places)
    n = len(where)
    where /= np.linalg.norm(where, axis=1, keepdims=True)
    below = np.array(head(SOURCES)) / 0.09
    angle = np.arccos(np.clip(where @ below.T, -1, 1))
    x = coloured(samples, SOURCES, rate, rng) @ (8 * np.exp(-((angle / 0.6) ** 2))).T
    t = np.arange(samples) / rate
    wave = np.sin(2 * np.pi * 10 * t) * (1 + np.cos(2 * np.pi * 0.2 * t))
    x += np.outer(wave, 10 * np.exp(-((angle[:, ALPHA] / 0.8) ** 2)))
    x += np.outer(np.sin(2 * np.pi * 50 * t), rng.uniform(0.5, 1.5, n))
    return x + rng.standard_normal((samples, n))


def info(rate, n=N, dtype="f4", positions=True):
    """Describe it."""
    names = [f"E{i}" for i in range(n)]
    return StreamInfo.signal(rate, Channels.of(names, "eeg", "uV", head(n) if positions else None), dtype=dtype)


def plant(x, reason, channel, a, b, rate, seed):
    """Break one channel from sample `a` to `b` in place."""
    rng = np.random.default_rng(seed)
    piece, n = x[a:b, channel], b - a
    t = np.arange(n) / rate
    hum = np.sin(2 * np.pi * 50 * t + 1)
    if reason == "flat":
        piece[:] = piece[0]
    elif reason == "saturated":
        piece[:] = np.clip(piece * 4, -30, 30)
    elif reason == "lead-off":
        piece[:] = 200 * hum + 5 * rng.standard_normal(n)
    elif reason == "mains":
        piece += 60 * hum
    elif reason == "noise":
        f = np.fft.rfftfreq(n, 1 / rate)
        piece += 40 * np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * (f > 60), n)
    elif reason == "bridged":
        piece[:] = x[a:b, channel + 1] + 0.1 * rng.standard_normal(n)
    elif reason == "drifting":
        piece += 80 * t
    elif reason == "uncorrelated":
        piece[:] = coloured(n, 1, rate, rng)[:, 0] * piece.std()
    elif reason == "deviant":
        piece *= 8
    else:
        raise ValueError(reason)
