"""ezmsg-sigproc and ezmsg-event on the same jobs: their transformers called one after the other, in this process.

That is their fastest way: no graph, no queues, no other processes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
PACKAGES = ("ezmsg", "ezmsg-sigproc", "ezmsg-event")


class _Source:
    """Makes the messages that a device would send."""

    def __init__(self, rate: float, channels: int) -> None:
        from ezmsg.util.messages.axisarray import AxisArray

        self._message, self._rate = AxisArray, rate
        self._channels = AxisArray.CoordinateAxis(data=np.array([f"ch{i}" for i in range(channels)]), dims=["ch"])

    def __call__(self, x: Array, start: int) -> Any:
        time = self._message.TimeAxis(fs=self._rate, offset=start / self._rate)
        return self._message(x, dims=["time", "ch"], axes={"time": time, "ch": self._channels}, key="bench")


class EzmsgImplant:
    """The implant job; the threshold is given, the decoder is NumPy's.

    Parameters
    ----------
    rate, channels, gain, group, band, refractory, length
        Of the job [Hz, channels, uV, channels, Hz, samples, s].
    threshold
        Of crossings [uV].
    decoder
        From features to velocity.
    """

    def __init__(
        self,
        rate: float,
        channels: int,
        gain: float,
        group: int,
        band: tuple[float, float],
        refractory: int,
        length: float,
        threshold: float,
        decoder: Callable[[Array], Array],
    ) -> None:
        from ezmsg.event.kernel_activation import (
            ActivationKernelType,
            BinAggregation,
            BinnedKernelActivation,
            BinnedKernelActivationSettings,
        )
        from ezmsg.event.peak import OutputFormat, ThresholdCrossingTransformer, ThresholdSettings
        from ezmsg.sigproc.affinetransform import CommonRereferenceSettings, CommonRereferenceTransformer
        from ezmsg.sigproc.binned_aggregate import BinnedAggregateSettings, BinnedAggregateTransformer
        from ezmsg.sigproc.butterworthfilter import ButterworthFilterSettings, ButterworthFilterTransformer
        from ezmsg.sigproc.math.pow import PowSettings, PowTransformer
        from ezmsg.sigproc.math.scale import ScaleSettings, ScaleTransformer

        groups = np.arange(channels).reshape(-1, group).tolist()
        self._source, self._decoder = _Source(rate, channels), decoder
        self._front = (
            ScaleTransformer(ScaleSettings(scale=gain)),
            CommonRereferenceTransformer(CommonRereferenceSettings(mode="mean", axis="ch", channel_groups=groups)),
            ButterworthFilterTransformer(
                ButterworthFilterSettings(order=4, cuton=band[0], cutoff=band[1], coef_type="sos")
            ),
        )
        crossings = ThresholdSettings(  # it drops an interval of `refrac_dur` and shorter ones
            threshold=threshold, refrac_dur=(refractory - 0.5) / rate, output_format=OutputFormat.DENSE
        )
        self._crossings = ThresholdCrossingTransformer(crossings)
        counts = BinnedKernelActivationSettings(  # with dense events the fastest of their four ways to count
            kernel_type=ActivationKernelType.COUNT, aggregation=BinAggregation.SUM, bin_duration=length,
            normalize=False, rate_normalize=False,
        )  # fmt: skip
        self._counts = BinnedKernelActivation(counts)
        self._square = PowTransformer(PowSettings(exponent=2.0))
        self._mean = BinnedAggregateTransformer(BinnedAggregateSettings(bin_duration=length))

    def __call__(self, x: Array, start: int) -> list[tuple[Array, Array]]:
        """Return features and velocity of each bin that ends in a block."""
        message = self._source(x.astype(np.float32), start)
        for transformer in self._front:
            message = transformer(message)
        counts = self._counts(self._crossings(message)).data
        power = self._mean(self._square(message)).data
        out = []
        for c, p in zip(counts, power, strict=True):
            features = np.concatenate([c, p])
            out.append((features, self._decoder(features)))
        return out


class EzmsgEEG:
    """The EEG job up to the window that is to be decided on.

    Parameters
    ----------
    rate, channels, mains, quality, band, length, hop
        Of the job [Hz, channels, Hz, Hz, s, s].
    decide
        From a window ``(length, n_channels)`` to scores.
    """

    def __init__(
        self,
        rate: float,
        channels: int,
        mains: float,
        quality: float,
        band: tuple[float, float],
        length: float,
        hop: float,
        decide: Callable[[Array], Array],
    ) -> None:
        from ezmsg.sigproc.affinetransform import CommonRereferenceSettings, CommonRereferenceTransformer
        from ezmsg.sigproc.butterworthfilter import ButterworthFilterSettings, ButterworthFilterTransformer
        from ezmsg.sigproc.filter import FilterCoefficients, FilterSettings, FilterTransformer
        from ezmsg.sigproc.window import WindowSettings, WindowTransformer
        from scipy.signal import iirnotch

        self._source, self._decide = _Source(rate, channels), decide
        notch = FilterCoefficients(*iirnotch(mains, quality, fs=rate))
        self._chain = (
            FilterTransformer(FilterSettings(coefs=notch)),
            ButterworthFilterTransformer(
                ButterworthFilterSettings(order=4, cuton=band[0], cutoff=band[1], coef_type="sos")
            ),
            CommonRereferenceTransformer(CommonRereferenceSettings(mode="mean", axis="ch")),
            WindowTransformer(
                WindowSettings(newaxis="win", window_dur=length, window_shift=hop, zero_pad_until="none")
            ),
        )

    def __call__(self, x: Array, start: int) -> list[Array]:
        """Return scores at each hop that ends in a block."""
        message = self._source(x, start)
        for transformer in self._chain:
            message = transformer(message)
        return [self._decide(window) for window in message.data]
