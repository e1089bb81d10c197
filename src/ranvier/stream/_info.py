"""StreamInfo and EventInfo: everything known about a stream before its first sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ranvier.errors import ContractError
from ranvier.stream._channels import Channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """How the samples of a stream map to the samples of the source it came from.

    The newest source sample that sample k can see is ``floor(k * step + offset)``; the window that
    it stands for covers the `span` source samples that end there.

    Parameters
    ----------
    source
        Name of the source stream.
    rate
        Rate of the source stream [Hz].
    step
        Source samples from one sample to the next; 0 where samples come at events, not at a rate.
    offset
        Source index of sample 0 [source samples].
    span
        Length of the window that one sample stands for [source samples], filters not counted.
    """

    source: str
    rate: Fraction
    step: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    span: int = 1

    def newest(self, k: int) -> int:
        """Return the newest source sample that sample `k` can see."""
        step, offset = self.step, self.offset  # in whole numbers: a tenth of the time of fractions, for every decision
        a, b, c, d = step.numerator, step.denominator, offset.numerator, offset.denominator
        return (int(k) * a * d + c * b) // (b * d)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """Description of a stream of samples; constant while anything runs.

    Parameters
    ----------
    name
        What the stream is called.
    rate
        Samples per second [Hz], exact; 0 for a stream with one sample an event.
    channels
        Names, kinds, units, positions, groups, in the order of the last axis.
    shape
        Shape of one sample: ``(n_channels,)``, ``(length, n_channels)`` for windows,
        ``(n_channels, n_channels)`` for covariances.
    dtype
        Number type of the samples.
    origin
        Where in its source each sample comes from.
    support
        Source samples that one sample may depend on (recursive filters: until their memory has
        decayed below 1e-6 of its peak).
    settle
        Source samples for which the output stays marked invalid after an invalid stretch.
    delay
        Group delay of the linear stages so far [s].
    """

    name: str
    rate: Fraction
    channels: Channels
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    origin: Origin
    support: int = 1
    settle: int = 0
    delay: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", Fraction(self.rate))
        object.__setattr__(self, "dtype", np.dtype(self.dtype))
        if self.rate < 0:
            raise ContractError(
                f"StreamInfo needs rate >= 0; got {float(self.rate):g} Hz for {self.name!r}. "
                "Use 0 for a stream with one sample an event."
            )
        if not self.shape or any(n < 1 for n in self.shape):
            raise ContractError(
                f"StreamInfo needs a shape of positive sizes; got {self.shape} for {self.name!r}. "
                "A stream of n channels has shape (n,)."
            )
        if self.shape[-1] != len(self.channels):
            raise ContractError(
                f"StreamInfo needs one channel for each of the {self.shape[-1]} numbers of the last axis; "
                f"got {len(self.channels)} channels for {self.name!r}. Name every one."
            )

    @classmethod
    def signal(
        cls,
        rate: Fraction | int | float | str,
        channels: Channels | int,
        *,
        name: str = "signal",
        dtype: Any = np.float32,
    ) -> StreamInfo:
        """Describe a source: a plain multichannel signal.

        >>> StreamInfo.signal(250, Channels.of(["C3", "C4"])).shape
        (2,)
        """
        if isinstance(channels, int):
            channels = Channels.of(channels)
        exact = Fraction(rate).limit_denominator(10**6) if isinstance(rate, float) else Fraction(rate)
        return cls(
            name=name,
            rate=exact,
            channels=channels,
            shape=(len(channels),),
            dtype=np.dtype(dtype),
            origin=Origin(source=name, rate=exact),
        )

    @property
    def n_channels(self) -> int:
        return len(self.channels)

    @property
    def is_signal(self) -> bool:
        """True where one sample is one number a channel."""
        return len(self.shape) == 1

    def but(self, **changes: Any) -> StreamInfo:
        """Return a copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventInfo:
    """Description of a stream of events; constant while anything runs.

    Parameters
    ----------
    name
        What the stream is called.
    rate
        Samples per second of the index that the events are counted in [Hz].
    labels
        Original label of each code.
    sources
        Names of what may send events, indexed by the ``source`` column (channels, for spikes).
    origin
        Where in the source stream an event's sample lies.
    support, settle, delay
        As for `StreamInfo`.
    """

    name: str
    rate: Fraction
    labels: Mapping[int, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ("",)
    origin: Origin
    support: int = 1
    settle: int = 0
    delay: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", Fraction(self.rate))

    @classmethod
    def of(
        cls, signal: StreamInfo, labels: Mapping[int, str], *, name: str = "events", sources: tuple[str, ...] = ("",)
    ) -> EventInfo:
        """Describe the events that come with a source signal, counted in its samples."""
        return cls(name=name, rate=signal.rate, labels=labels, sources=sources, origin=signal.origin)

    def but(self, **changes: Any) -> EventInfo:
        """Return a copy with some fields changed."""
        return replace(self, **changes)


Info = StreamInfo | EventInfo
