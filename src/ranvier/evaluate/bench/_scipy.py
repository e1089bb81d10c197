"""SciPy and NumPy on the same jobs, written as somebody who knows them well would."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.decode import KalmanFilter

Array = npt.NDArray[Any]


class NumpyKalman:
    """The Kalman filter of the implant job in NumPy: information form, its gain worked out once."""

    def __init__(self, model: KalmanFilter) -> None:
        self._a, self._w, self._h = model.transition, model.noise, model.observation
        self._gain = self._h.T * model.precision
        self._information = self._gain @ self._h
        self._centre, self._offset = model.centre, model.offset
        self._mean, self._p = np.zeros(len(self._a)), model.prior.copy()

    def __call__(self, features: Array) -> Array:
        """Return the velocity after one more bin."""
        ahead = self._a @ self._mean
        wide = self._a @ self._p @ self._a.T + self._w
        self._p = np.linalg.solve(np.eye(len(wide)) + wide @ self._information, wide)
        error = features - self._centre - self._h @ ahead
        self._mean = ahead + self._p @ (self._gain @ error)
        return np.asarray(self._mean + self._offset)


class RunningNoise:
    """The noise estimate of `ranvier.features.Spikes`, in NumPy.

    Parameters
    ----------
    channels
        How many.
    stride, heard
        Every so many samples one is heard; so many make an estimate.
    weight
        Of a new estimate, at least: the first ones are averaged.
    factor
        Threshold over noise.
    begin
        Sample from which on it listens: where the filter's transient is over.
    """

    def __init__(self, channels: int, stride: int, heard: int, weight: float, factor: float, begin: int) -> None:
        self.stride, self.begin = stride, begin
        self._weight, self._factor = weight, factor
        self._turn = np.arange(channels) // 16 * round(0.618 * heard) % heard
        self._heard = np.full((heard, channels), np.nan, np.float32)
        self._noise, self._estimates = np.zeros(channels, np.float32), np.zeros(channels)
        self.threshold = np.full(channels, -np.inf, np.float32)

    def limits(self, v: Array, start: int) -> Array:
        """Return the threshold at each sample of a block, and listen to it."""
        rows, at = [], 0
        for i in range(-start % self.stride, len(v), self.stride):
            rows.append(np.broadcast_to(self.threshold, (i + 1 - at, len(self.threshold))))
            at = i + 1
            if start + i >= self.begin:
                self._hear(np.abs(v[i]), (start + i) // self.stride)
        rows.append(np.broadcast_to(self.threshold, (len(v) - at, len(self.threshold))))
        return np.concatenate(rows)

    def _hear(self, size: Array, k: int) -> None:
        m = len(self._heard)
        self._heard[k % m] = size
        due = np.flatnonzero((k + self._turn) % m == 0)
        many = np.isfinite(self._heard[:, due]).sum(axis=0)
        full, many = due[many >= (m + 1) // 2], many[many >= (m + 1) // 2]
        if len(full):
            middle = np.sort(self._heard[:, full], axis=0)[(many - 1) // 2, np.arange(len(full))]
            new = middle.astype(np.float64) / 0.6744897501960817
            self._estimates[full] += 1
            part = np.maximum(self._weight, 1 / self._estimates[full])
            self._noise[full] += part * (new - self._noise[full])
            self.threshold = self.threshold.copy()
            self.threshold[full] = np.where(self._noise[full] > 0, -self._factor * self._noise[full], -np.inf)


class ScipyImplant:
    """``scipy.signal.sosfilt`` in float32 and NumPy: the whole implant job.

    Parameters
    ----------
    rate, gain, group, band, refractory, length
        Of the job [Hz, uV, channels, Hz, samples, samples].
    noise
        Running noise; a number where the threshold is given [uV].
    decoder
        From features to velocity.
    """

    def __init__(
        self,
        rate: float,
        gain: float,
        group: int,
        band: tuple[float, float],
        refractory: int,
        length: int,
        noise: RunningNoise | float,
        decoder: NumpyKalman | None,
    ) -> None:
        from scipy import signal

        self._signal = signal
        self._sos = signal.butter(4, band, "band", fs=rate, output="sos").astype(np.float32)
        self._gain, self._group = np.float32(gain), group
        self._refractory, self._length, self._noise, self._decoder = refractory, length, noise, decoder
        self._zi: Array | None = None

    def _begin(self, v: Array) -> None:
        n = v.shape[1]
        self._zi = self._signal.sosfilt_zi(self._sos).astype(np.float32)[:, :, None] * v[0]
        self._before = np.full((1, n), -np.inf, np.float32)
        self._free = np.zeros(n, np.int64)
        self._count, self._power = np.zeros(n), np.zeros(n)

    def filtered(self, x: Array) -> Array:
        """Return counts after gain, reference and band-pass."""
        v = x * self._gain
        groups = v.reshape(len(v), -1, self._group)
        groups -= groups.mean(axis=2, keepdims=True)
        if self._zi is None:
            self._begin(v)
        v, self._zi = self._signal.sosfilt(self._sos, v, axis=0, zi=self._zi)
        return v

    def __call__(self, x: Array, start: int) -> list[tuple[Array, Array | None]]:
        """Return features and velocity of each bin that ends in a block."""
        v = self.filtered(x)
        when, who = self._crossings(v, start)
        out = []
        for a in range(start - start % self._length, start + len(v), self._length):
            inside = slice(max(a - start, 0), a + self._length - start)
            mine = (when >= a) & (when < a + self._length)
            self._count += np.bincount(who[mine], minlength=len(self._count))
            self._power += np.einsum("tc,tc->c", v[inside], v[inside])
            if a + self._length <= start + len(v):
                features = np.concatenate([self._count, self._power / self._length])
                out.append((features, None if self._decoder is None else self._decoder(features)))
                self._count[:], self._power[:] = 0, 0
        return out

    def _crossings(self, v: Array, start: int) -> tuple[Array, Array]:
        """Return samples and channels that fall below the threshold, refractory ones left out."""
        limit = self._noise.limits(v, start) if isinstance(self._noise, RunningNoise) else np.float32(self._noise)
        earlier = np.concatenate([self._before, v[:-1]])
        self._before = v[-1:].copy()
        when, who = np.nonzero((v < limit) & (earlier >= limit))
        when += start
        taken = []
        while len(when):
            free = when >= self._free[who]
            when, who = when[free], who[free]
            first = np.unique(who, return_index=True)[1]
            taken.append((when[first], who[first]))
            self._free[who[first]] = when[first] + self._refractory
        if not taken:
            return when, who
        times, channels = zip(*taken, strict=True)
        return np.concatenate(times), np.concatenate(channels)


class ScipyEEG:
    """``scipy.signal.sosfilt`` in float64 and NumPy for the EEG job, up to the window that is to be decided on.

    Parameters
    ----------
    sections
        Of notch and band-pass, ``(n, 6)``.
    length, hop
        Of the windows [samples].
    decide
        From a window ``(length, n_channels)`` to scores.
    """

    def __init__(self, sections: Array, length: int, hop: int, decide: Any) -> None:
        from scipy import signal

        self._signal, self._sos, self._hop, self._decide = signal, sections, hop, decide
        self._zi: Array | None = None
        self._length = length

    def __call__(self, x: Array, start: int) -> list[Array]:
        """Return scores at each hop that ends in a block."""
        v = x.astype(np.float64)
        if self._zi is None:
            self._zi = self._steady(v[0])
            self._ring = np.zeros((self._length, x.shape[1]))
        v, self._zi = self._signal.sosfilt(self._sos, v, axis=0, zi=self._zi)
        v -= v.mean(axis=1, keepdims=True)
        out, at = [], start
        while at < start + len(v):
            end = min((at // self._hop + 1) * self._hop, start + len(v))
            place = at % self._length
            self._ring[place : place + end - at] = v[at - start : end - start]
            at = end
            if at % self._hop == 0 and at >= self._length:
                out.append(self._decide(self._ring))  # in turned order: a covariance does not mind
        return out

    def _steady(self, x: Array) -> Array:
        return self._signal.sosfilt_zi(self._sos)[:, :, None] * x
