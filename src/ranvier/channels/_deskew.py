"""Deskew: take back that a multiplexer samples its channels one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, ClassVar, final

import numpy as np

from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, Tags, need_signal
from ranvier.stage._state import counter
from ranvier.stream import Array, Block, Info, StreamInfo, is_all_valid

BETA = 8.0  # of the Kaiser window


@final
@dataclass(frozen=True, eq=False)
class Deskew(BlockStage):
    """Bring channels that were sampled one after the other to one instant, by fractional delays.

    Before a common reference: what all channels share is only taken away where all have it at one time.

    Parameters
    ----------
    delays
        How much later than the sample's time each channel was sampled [s], at least 0 and below one sample; one for
        all channels of the stream. `Deskew.mux` makes them from a converter's order, `Deskew.of_probe` from
        what probeinterface knows of a probe.
    taps
        Length of the filters, even. The more, the closer to half the rate they are right.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, units and rate; float32 (float64 for float64). An output is valid
    where all samples that it is made of are. Each channel is filtered with a sinc, delayed by its own delay and by
    ``taps / 2 - 1`` samples, under a Kaiser window (beta 8); one without delay is passed on to the bit, so many samples
    late. Delay: ``taps / 2 - 1`` samples. Support: `taps`. Settle: ``taps - 1``. Portable but for the design, which
    uses sin and Bessel functions: exact.

    With 32 taps at 30 kHz the error against an ideal delay is below -80 dB up to 10 kHz.

    Raises
    ------
    ContractError
        The number of delays is not that of the channels, or one is not within a sample.

    Examples
    --------
    >>> stage = Deskew.mux(order=(0, 0, 1, 1), cycles=2, rate=30_000)
    >>> stage.describe(StreamInfo.signal(30_000, 4)).delay == Fraction(15, 30_000)
    True

    References
    ----------
    Laakso et al., IEEE Signal Process Mag 13(1) (1996) 30-60 (fractional delay filters).
    """

    delays: tuple[float, ...]
    taps: int = 32

    tags: ClassVar[Tags] = Tags(exactness="exact", linear=True)

    @classmethod
    def mux(cls, order: Sequence[int], cycles: int, rate: float, taps: int = 32) -> Deskew:
        """Make the delays from a multiplexer's table.

        Parameters
        ----------
        order
            When each channel's turn is within a sample, counted from 0 (``adc_sample_order`` of probeinterface).
        cycles
            Turns in a sample (``num_readout_channels`` or so: 13 of Neuropixels 1.0, 16 of 2.0).
        rate
            Sampling rate [Hz].
        """
        turns = tuple(int(k) for k in order)
        if cycles < 1 or not all(0 <= k < cycles for k in turns):
            raise ContractError(
                f"Deskew.mux needs turns from 0 to cycles - 1; got {min(turns, default=0)} to {max(turns, default=0)} "
                f"with cycles={cycles}. Count turns from 0."
            )
        return cls(tuple(k / (cycles * float(rate)) for k in turns), taps)

    @classmethod
    def of_probe(cls, probe: Any, taps: int = 32) -> Deskew:
        """Make the delays from a probe as probeinterface describes it, such as a Neuropixels probe.

        Parameters
        ----------
        probe
            ``probeinterface.Probe`` with the annotation ``adc_sample_order`` (``read_spikeglx`` and
            ``read_openephys`` make it), its contacts in the order of the channels recorded.

        Raises
        ------
        ContractError
            The probe does not say how it is multiplexed.
        """
        said, order = probe.annotations, probe.contact_annotations.get("adc_sample_order")
        keys = ("num_channels_per_adc", "ap_sample_frequency_hz", "lf_sample_frequency_hz")
        lost = [k for k in keys if said.get(k) is None] + ["adc_sample_order"] * (order is None)
        if lost:
            raise ContractError(
                f"Deskew.of_probe needs a probe that says how it is multiplexed; got no {', '.join(lost)}. Read the "
                "probe with its recording (read_spikeglx, read_openephys), or take Deskew.mux."
            )
        # a converter reads each of its channels once, and the slow band in between: 12 * (1 + 2500 / 30000) = 13 turns
        each, fast, slow = (float(said[k]) for k in keys)
        return cls.mux(order, round(each * (1 + slow / fast)), fast, taps)

    def _shifts(self, info: StreamInfo) -> Array:
        """Return the delays in samples, refusing what cannot be."""
        rate = float(info.rate)
        if len(self.delays) != info.n_channels:
            raise ContractError(
                f"Deskew needs a delay [s] for each channel; got {len(self.delays)} for {info.n_channels} channels. "
                "Put it before Pick, or give those of the channels picked."
            )
        shifts = np.array(self.delays, dtype=float) * rate
        if not ((shifts >= 0) & (shifts < 1)).all():
            raise ContractError(
                f"Deskew needs delays from 0 to below one sample, {1 / rate:g} s; got {min(self.delays):g} to "
                f"{max(self.delays):g} s. Give them in seconds, later than the sample's time."
            )
        if self.taps < 4 or self.taps % 2:
            raise ContractError(f"Deskew needs an even number of taps, 4 or more; got {self.taps}. Take 32.")
        return shifts

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        self._shifts(info)
        reach = ceil((self.taps - 1) * info.origin.step)
        return info.but(
            dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32),
            support=info.support + reach,
            settle=info.settle + reach,
            delay=info.delay + Fraction(self.taps // 2 - 1) / info.rate,
        )

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._skew import skew

        out = self.describe(info)
        taps = fractional(self._shifts(info), self.taps).astype(out.dtype)
        design = (skew[out.dtype], taps, Scratch(out.shape, out.dtype), np.empty((0, 0), bool))
        ring = np.zeros((2 * self.taps, info.n_channels), out.dtype)
        return State(design, ring=ring, run=np.zeros(info.n_channels, np.int32), newest=counter())

    def step(self, state: State, block: Block) -> Block:
        skew, taps, scratch, no_mask = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else no_mask
        bad = skew(x, ok, masked, state["ring"], state["run"], state["newest"], taps, y, w)
        return Block(y, block.start, w if bad else None)


def fractional(shifts: Array, taps: int) -> Array:
    """Return filters ``(taps, n)`` that delay by ``taps / 2 - 1 + shift`` samples each, with gain 1 at 0 Hz."""
    apart = np.arange(taps)[:, None] - (taps // 2 - 1) - shifts[None, :]
    h = np.sinc(apart) * np.i0(BETA * np.sqrt(np.clip(1 - (apart / (taps / 2)) ** 2, 0, None)))
    h /= h.sum(axis=0)
    h[:, shifts == 0] = apart[:, shifts == 0] == 0  # sin is not 0 at multiples of pi, in floating point
    return np.asarray(h)
