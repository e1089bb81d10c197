"""BrainFlow and SpikeInterface on what they do of the implant job: gain, reference, band-pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class BrainFlowImplant:
    """BrainFlow's ``DataFilter``, which begins anew at every block.

    Parameters
    ----------
    rate, gain, group, band
        Of the job [Hz, uV, channels, Hz].
    """

    def __init__(self, rate: float, gain: float, group: int, band: tuple[float, float]) -> None:
        from brainflow.data_filter import DataFilter, FilterTypes

        self._filter, self._kind = DataFilter.perform_bandpass, FilterTypes.BUTTERWORTH.value
        self._rate, self._gain, self._group, self._band = int(rate), gain, group, band

    def __call__(self, x: Array, start: int) -> Array:
        """Return the filtered block ``(n_channels, n)``."""
        v = np.ascontiguousarray((x * self._gain).T)
        groups = v.reshape(-1, self._group, v.shape[1])
        groups -= groups.mean(axis=1, keepdims=True)
        for channel in v:
            self._filter(channel, self._rate, *self._band, 4, self._kind, 0)
        return v


class SpikeInterfaceImplant:
    """SpikeInterface's chunks: each is filtered forwards in float32, with a margin that is filtered again.

    Parameters
    ----------
    counts
        All samples, which it reads from.
    rate, gain, group, band
        Of the job [Hz, uV, channels, Hz].
    """

    def __init__(self, counts: Array, rate: float, gain: float, group: int, band: tuple[float, float]) -> None:
        import spikeinterface.preprocessing as steps
        from spikeinterface.core import NumpyRecording

        n = counts.shape[1]
        groups = np.arange(n).reshape(-1, group).tolist()
        scaled = steps.scale(NumpyRecording([counts], rate), gain=gain, dtype="float32")
        level = steps.common_reference(scaled, reference="global", operator="average", groups=groups)
        self._recording = steps.bandpass_filter(level, *band, dtype="float32", direction="forward", filter_order=4)

    def __call__(self, x: Array, start: int) -> Array:
        """Return the filtered block ``(n, n_channels)``."""
        return np.asarray(self._recording.get_traces(start_frame=start, end_frame=start + len(x)))
