"""BadChannels and ChannelVerdicts: which channels are not to be trusted, since when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar, final

import numpy as np

from ranvier.channels._criteria import REASONS
from ranvier.channels._judge import BAD, GOOD, advance
from ranvier.channels._judging import JudgeStage
from ranvier.stage import EVENTS, Port, State, Tags
from ranvier.stream import EVENT, Block, EventInfo, Events, Info, StreamInfo, is_all_valid

LABELS = {0: "good"} | {
    len(REASONS) * (verdict - 1) + r: f"{word}:{REASONS[r]}"
    for verdict, word in ((1, "suspect"), (2, "bad"))
    for r in range(1, len(REASONS))
}


@final
@dataclass(frozen=True, eq=False)
class BadChannels(JudgeStage):
    """Mark channels that are not to be trusted, while it lasts: flat, saturated, noisy, bridged, off the skin.

    Parameters
    ----------
    hop
        How often channels are judged [s], on the absolute grid of samples.
    patience
        Hops in a row in which a channel must fail until it is bad; until then it is suspect. Saturated and flat
        channels are bad at once.
    recovery
        Hops in a row that a bad channel must pass to be good again, each by a fifth more than it takes to stay good.
    band
        In which channels are compared [Hz]: (1, 40) for EEG, (300, 3000) for spikes.
    noise
        Frequency from which on there is noise rather than signal [Hz]: 50 for EEG, 12000 for spikes at 30 kHz.
        Not looked at where it lies above 0.45 of the rate.
    mains
        Frequency of the mains [Hz]; 0 for none.
    correlation
        With the neighbour that is most like it, least for a channel to count as correlated; 0 for never.
    deviation
        Robust standard deviations of log amplitude, among the channels, that are too far from the others.
    ransac
        Random subsets of a quarter of the channels that predict each channel; 0 for none.
    seed
        For the draw of the subsets.
    rail
        Magnitude at which a channel that stands still is saturated, not flat, in the unit of the stream; None: flat.
    ignore
        Reasons that are not looked for.
    share
        Of each hop that is listened to, from its begin: 1 for EEG; 0.2 is enough for spikes at 30 kHz and costs
        half. Below 1, filters begin anew at each hop, so that the stretch needs to be many periods of ``band[0]``.

    Notes
    -----
    *In*: signal ``(n,)``; electrodes (eeg, ecog, seeg, dbs, lfp, spikes) are judged among those of the same kind and
    group (shank, headstage), groups of fewer than four together; eog, emg and ecg by themselves alone (lost, saturated,
    flat); others are passed on. *Out*: the same numbers; where a channel is bad it is invalid, from the last sample of
    the hop on at which that is known. Until the first whole hop all is good. `ChannelVerdicts` with the same parameters
    says when and why.

    A hop is judged by sums over its valid samples: power of all above ``band[0]``, of the mains (3 Hz), of what is left
    of them below ``band[1]`` and above `noise`, by recursive filters; extremes; and products of up to 200 instants of
    the band. The first that applies is the reason:

    =============== =================================================================================================
    lost            fewer than half of the samples listened to were valid
    saturated       more than 5 % of the samples at the extremes; or still, at or beyond `rail`
    flat            still; or below 1/50 of the usual amplitude (the median of the channels)
    lead-off        mains and uncorrelated
    mains           more than half of the power, and 3 times the usual
    noise           ratio of `noise` to `band` beyond `deviation`, and more noise than usual
    bridged         difference to another channel below 0.5 % of its power, and a tenth of the usual nearest distance
    drifting        mean moves by 2 usual amplitudes a second, and 5 times as fast as usual
    uncorrelated    largest correlation with the six nearest below `correlation`; where positions are not known, the
                    one that a twentieth of all channels lie above
    unpredicted     median correlation with what subsets predict (spherical splines) below 0.6; needs 32 on a head
    deviant         amplitude beyond `deviation`
    =============== =================================================================================================

    Fewer than four of a kind are not compared. From "mains" on, what more than half of those compared do is the fault
    of none. Bad channels and bridged ones do not vouch for their neighbours. Of a bridge both are bad: they show one
    mixture of what is below either, so that neither is where its position says. Delay 0. Settle: a channel that was
    lost is back after `recovery` hops and the rest of one, unless it is at a limit. Support: of the verdicts,
    `patience` and `recovery` hops more; a channel at a limit keeps its verdict for longer. Exact.

    Examples
    --------
    >>> import numpy as np
    >>> from ranvier.stage import Run
    >>> from ranvier.stream import Block, StreamInfo
    >>> run = Run(BadChannels(), StreamInfo.signal(250, 2))
    >>> still = np.column_stack([np.sin(np.arange(500)), np.ones(500)]).astype("f4")
    >>> run.push(Block(still)).valid.sum(axis=0).tolist()
    [500, 249]

    References
    ----------
    Bigdely-Shamlo et al., Frontiers in Neuroinformatics 9, 16 (2015): deviation, noise, correlation, RANSAC (PREP).
    Alschuler et al., Clinical Neurophysiology 125, 484-490 (2014): bridges by electrical distance.
    Perrin et al., Electroencephalography and Clinical Neurophysiology 72, 184-187 (1989): spherical splines.
    """

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = self.checked(given)
        step, hop = info.origin.step, self.hop_samples(info)
        return info.but(
            support=info.support + ceil((self.patience + self.recovery + 1) * hop * step),
            settle=info.settle + ceil((self.recovery + 1) * hop * step),
        )

    @property
    def tags(self) -> Tags:  # type: ignore[override]
        return Tags(exactness="exact", permutable=not self.ransac, recursive=True)

    def step(self, state: State, block: Block) -> Block:
        bad, begun = state["verdict"] == BAD, 0
        marks = []
        for place, _ in advance(state, block):
            marks.append((begun, place, bad))
            bad, begun = state["verdict"] == BAD, place
        marks.append((begun, block.n, bad))
        if not any(bad.any() for _, _, bad in marks):
            return block
        _, valid = state.design.mask.take(block.n)
        for a, b, bad in marks:
            valid[a:b] = ~bad
        if not is_all_valid(block.valid):
            valid &= block.valid
        return Block(block.data, block.start, valid)


@final
@dataclass(frozen=True, eq=False)
class ChannelVerdicts(JudgeStage):
    """Say when channels become suspect, bad or good again, and why, as events.

    Parameters
    ----------
    hop, patience, recovery, band, noise, mains, correlation, deviation, ransac, seed, rail, ignore, share
        As for `BadChannels`.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: events "good", "suspect:flat", "bad:flat" and so on, with the reasons of
    `BadChannels`; one where the verdict on a channel changes, at the last sample of the hop that changed it, which is
    the first that `BadChannels` marks; ``source`` is the channel, ``value`` by how much the limit was missed (1: just
    so; 0 for good); of "bridged", the place of the channel that it is bridged with. All are good at a fresh start,
    which no event says. Delay 0; settle, support: as there. Exact.

    Examples
    --------
    >>> import numpy as np
    >>> from ranvier.stage import Run
    >>> from ranvier.stream import Block, StreamInfo
    >>> run = Run(ChannelVerdicts(), StreamInfo.signal(250, 2))
    >>> still = np.column_stack([np.sin(np.arange(500)), np.ones(500)]).astype("f4")
    >>> [(int(e["sample"]), run.info.labels[int(e["code"])]) for e in run.push(Block(still)).table]
    [(249, 'bad:flat')]
    """

    outputs: ClassVar[tuple[Port, ...]] = (EVENTS,)

    def describe(self, *infos: Info) -> EventInfo:
        (given,) = infos
        info = self.checked(given)
        step, hop = info.origin.step, self.hop_samples(info)
        return EventInfo(
            name="verdicts", rate=info.rate, labels=dict(LABELS), sources=info.channels.names, origin=info.origin,
            support=info.support + ceil((self.patience + self.recovery + 1) * hop * step),
            settle=info.settle + ceil((self.recovery + 1) * hop * step), delay=info.delay,
        )  # fmt: skip

    @property
    def tags(self) -> Tags:  # type: ignore[override]
        return Tags(exactness="exact", permutable=not self.ransac, recursive=True)

    def step(self, state: State, block: Block) -> Events:
        found = [c for _, changes in advance(state, block) for c in changes]
        table = np.zeros(len(found), EVENT)
        for row, c in zip(table, found, strict=True):
            code = 0 if c.verdict == GOOD else len(REASONS) * (c.verdict - 1) + c.reason
            row["sample"], row["code"], row["value"], row["source"] = block.start + c.place, code, c.value, c.channel
        return Events(block.start, block.stop, table)
