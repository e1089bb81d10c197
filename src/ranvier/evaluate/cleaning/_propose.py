"""Which stage is justified by which finding; those that learn or adapt are tried on the recording first."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from ranvier.channels import BadChannels, CommonReference, Interpolate, Pick
from ranvier.denoise import ASR, PARRM, RLS, Bandpass, Highpass, Integrity, LineNoise
from ranvier.errors import RanvierError
from ranvier.evaluate.cleaning._findings import BAD, BLINKS, DRIFT, HUM, LINE, LOST, OFFSET, Finding, amount, names
from ranvier.evaluate.cleaning._fit import fit_one
from ranvier.evaluate.cleaning._judge import Verdicts
from ranvier.evaluate.cleaning._look import Look
from ranvier.evaluate.cleaning._panes import Advance
from ranvier.evaluate.cleaning._profile import Profile
from ranvier.evaluate.cleaning._stimulation import Stimulation, near_multiple
from ranvier.evaluate.cleaning._trial import Tried, try_stage
from ranvier.stage import Stage, chain, name_of
from ranvier.stream import Recording

EXPLAINED, SOME = 0.1, 0.1  # part of a channel's power that references predict, and part of the channels where they do
TWICE = "bridged"  # bad, yet a signal
LARGE, MOSTLY = 0.03, 0.5  # part of the seconds in which ASR takes off more than the usual rms: least and most
LONG_BAD = 10.0  # for which a channel is bad, at least, to be left out [s]
SEVERAL = 3  # of them, at least
SHRUNK = 0.1  # by which part the range falls there, at least
LONG_ENOUGH = 40.0  # that ASR takes [s]
FEWEST = 4  # electrodes among which there is room for a subspace
COMMON = 0.05  # part of the rms that a common reference takes off spikes, at least
LOW = 0.3  # part of the power below the spike band
WORKED = 10.0  # what removing a period has to take off its line [dB]
HURT = "on clean recordings it cost decoding up to 17 points (docs/denoise.md): score with it and without"


@dataclass(frozen=True)
class Proposed:
    """A stage of the proposed pipeline: as it is written, as it runs, and why."""

    stage: Any
    runs: Stage
    reason: str

    @property
    def name(self) -> str:
        return name_of(self.stage)


@dataclass(frozen=True)
class Declined:
    """A stage that was thought of and is not proposed, and why."""

    name: str
    reason: str


@dataclass(eq=False)
class Draft:
    """A pipeline that grows, in the order of the data's way.

    Parameters
    ----------
    recording, known, seen
        What is cleaned, its kind, and what one look at it found.
    advance
        Told how many samples more were read.
    """

    recording: Recording
    known: Profile
    seen: Look
    advance: Advance
    steps: list[Proposed] = field(default_factory=list)
    declined: list[Declined] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def front(self) -> Stage:
        return chain(*[p.runs for p in self.steps])

    def propose(self, stage: Any, reason: str, runs: Stage | None = None) -> None:
        self.declined = [x for x in self.declined if x.name != name_of(stage) or isinstance(stage, Pick)]
        self.steps.append(Proposed(stage, stage if runs is None else runs, reason))

    def decline(self, name: str, reason: str) -> None:
        self.declined.append(Declined(name, reason))

    def has(self, kind: type) -> bool:
        return any(isinstance(p.stage, kind) for p in self.steps)


def entrance(d: Draft, rail: float | None) -> None:
    """Make the numbers finite, and mark what is missing or clipped."""
    missing = next((f for f in d.findings if f.topic == "missing"), None)
    why = "turns what is missing into a mask; costs nothing"
    if missing is not None and missing.level == "fault":
        why = f"{missing.text}: they become a mask"
    if rail is not None:
        why += f"; samples at {amount(rail, d.known.unit)} are clipped"
    d.propose(Integrity(rail=rail), why)


def stimulation(d: Draft, found: Stimulation | None) -> None:
    """Take a period away, if that takes its line away."""
    if found is None:
        return
    stage = PARRM(period=found.period)
    try:
        tried = try_stage(d.front, stage, d.recording, d.known.electrodes, d.advance)
    except RanvierError as e:
        d.decline("denoise.PARRM", str(e))
        return
    with np.errstate(all="ignore"):
        gained = 10 * np.log10(float(np.nansum(tried.before.squares) / np.nansum(tried.after.squares)))
    if not gained >= WORKED / 10 or not tried.after.valid.any():
        d.decline("denoise.PARRM", f"it takes {gained:.2g} dB off the power: the period does not hold")
        return
    d.propose(stage, f"stimulation every {found.period:.8g} samples; it takes {gained:.3g} dB off the power")


def channels(d: Draft, verdicts: Verdicts | None, mains: float) -> None:
    """Leave out what is bad most of the time, mark what is bad for some."""
    if verdicts is None or not verdicts.judged:
        d.decline("channels.BadChannels", "channels could not be judged")
        return
    absent = d.seen.missing / max(d.seen.measure.size, 1)  # in the mask already
    share = {n: max(verdicts.share(c) - verdicts.share(c, TWICE) - verdicts.share(c, "lost"), 0.0)
             for c, n in enumerate(verdicts.names)}  # fmt: skip
    gone = {n: max(share[n], float(absent[c])) for c, n in enumerate(verdicts.names)}
    total = verdicts.judged / verdicts.rate
    twice = [n for c, n in enumerate(verdicts.names) if verdicts.share(c, TWICE) >= BAD]
    if twice:
        d.decline("channels.Pick", f"{names(twice)} are bridged, but hold a signal: keep them, mend the gel next time; what "
                  "is taken between two of them is empty")  # fmt: skip
    lost = [n for n in verdicts.names if gone[n] >= LOST and gone[n] * total >= LONG_BAD and len(share) > 1]
    if len(lost) * 2 >= len(verdicts.names):
        d.decline("channels.Pick", f"{len(lost)} of {len(share)} channels are bad most of the time: mend the recording")
        lost = []
    if lost:
        d.propose(_without(d, lost), f"{names([_share(n, gone[n]) for n in lost])}: what is lost most of the time is left out")
    some = [n for n in verdicts.names if n not in lost and share[n] >= BAD]
    judge = d.known.verdicts(mains)
    if not some:
        worst = max((s for n, s in share.items() if n not in lost), default=0.0)
        d.decline("channels.BadChannels", f"no {'other ' if lost else ''}channel is bad for {100 * BAD:g} % of the time "
                  f"(at most {100 * worst:.2g} %)")  # fmt: skip
        return
    signals(d)
    same: dict[str, Any] = {f.name: getattr(judge, f.name) for f in fields(judge)}
    same["ignore"] = (*judge.ignore, *([TWICE] if twice else []))
    marked = sorted(some, key=lambda n: -share[n])
    d.propose(BadChannels(**same), f"marks {names([_share(n, share[n]) for n in marked], 4)}, while it lasts")


def _share(name: str, share: float) -> str:
    return f"{name} ({max(100 * share, 0.1):.2g} %)"


def _without(d: Draft, lost: list[str]) -> Pick:
    known = [*d.known.electrodes, *d.known.references]
    kinds = tuple(dict.fromkeys(k for n, k in zip(d.recording.info.channels.names, d.recording.info.channels.kinds,
                                                  strict=True) if n in set(known)))  # fmt: skip
    everything = d.recording.info.channels.names
    plain = not any(n.startswith("-") or n in kinds or set(n) & set("*?[") for n in everything)
    return Pick((*kinds, *(f"-{n}" for n in lost))) if plain else Pick(tuple(n for n in known if n not in lost))


def signals(d: Draft) -> None:
    """Leave out what is no signal, before the first filter."""
    if d.known.others and not d.has(Pick):
        d.propose(_without(d, []), f"{names(d.known.others)}: triggers and the like are not to be filtered")


def slow(d: Draft, needed_by: str = "") -> None:
    """Take offset and drift away, where there are some or something later needs it."""
    if d.has(Highpass) or d.has(Bandpass):
        return
    found = next((f for f in d.findings if f.topic == "offset"), None)
    if found is not None and found.level == "fault":
        signals(d)
        d.propose(Highpass(d.known.corner), f"{found.text}: before anything else that filters or combines channels; it "
                  "takes slow cortical potentials too")  # fmt: skip
    elif needed_by:
        d.propose(Highpass(d.known.corner), f"{needed_by} needs a signal without offset and drift")
    elif found is not None and found.level == "good":
        d.decline("denoise.Highpass", f"{found.text}; held against {OFFSET:g}, drift against {DRIFT:g}")


def line(d: Draft) -> None:
    """Take mains away where it matters."""
    found = next(f for f in d.findings if f.topic == "mains")
    if found.level == "unknown":
        d.decline("denoise.LineNoise", found.text)
        return
    if found.level == "good":
        d.decline("denoise.LineNoise", f"{found.text}; held against {LINE:g} dB")
        return
    if found.level == "note":
        d.decline("denoise.LineNoise", f"{found.text}; held against {100 * HUM:g} %: it matters only above 40 Hz")
        return
    frequency = float(d.seen.mains or 0)
    period = next((p.stage.period for p in d.steps if isinstance(p.stage, PARRM)), None)
    if period is not None and near_multiple(frequency, d.known.rate / period, d.known.rate):
        d.decline("denoise.LineNoise", f"{found.text}: that is the stimulation, which PARRM takes away")
        return
    signals(d)
    nominal = next((f for f in (50.0, 60.0) if abs(f - frequency) <= 0.4), round(frequency, 1))
    d.propose(LineNoise(nominal), found.text)
    if len(d.known.electrodes) >= 8:
        d.decline("denoise.ZapLine", "LineNoise removes as much and leaves the channels unmixed")


def spike_band(d: Draft) -> None:
    """Keep the band of spikes, and take away what all electrodes share in it."""
    low = d.seen.measure.spectrum.band(0, 300.0)
    total = d.seen.measure.spectrum.band(0, d.known.rate)
    with np.errstate(all="ignore"):
        part = float(np.nanmedian(low / total)) if np.isfinite(low / total).any() else 0.0
    top = min(6000.0, 0.4 * d.known.rate)
    if part >= LOW and top > 600:
        signals(d)
        d.propose(Bandpass(300.0, top), f"{100 * part:.0f} % of the power lies below the spike band")
    else:
        d.decline("denoise.Bandpass", f"{100 * part:.0f} % of the power lies below 300 Hz; held against {100 * LOW:g} %")
    if len(d.known.electrodes) < 8:
        d.decline("channels.CommonReference", "fewer than 8 electrodes: their mean is not common noise")
    else:
        kept = tuple(n for n in d.front.describe(d.recording.info).channels.names if n in d.known.electrodes)
        tried = try_stage(d.front, CommonReference(), d.recording, kept, d.advance)
        with np.errstate(all="ignore"):
            gain = 1 - float(np.nanmedian(tried.after.usual / tried.before.usual))
        if gain >= COMMON:
            d.propose(CommonReference(), f"takes {100 * gain:.0f} % off the rms: noise that electrodes share")
        else:
            d.decline("channels.CommonReference", f"takes {100 * gain:.1f} % off the rms; held against {100 * COMMON:g} %")
    d.decline("denoise.Whiten", "for sorting spikes; crossings and rates need no whitening, and it costs the most")


def lost_ones(d: Draft) -> None:
    """Put estimates in the place of channels that are marked."""
    if not d.has(BadChannels):
        d.decline("channels.Interpolate", "no channel is marked: nothing to estimate")
        return
    c = d.recording.info.channels
    kept = [n for n in d.front.describe(d.recording.info).channels.names if n in d.known.electrodes]
    unplaced = [n for n in kept if c.positions[c.names.index(n)] is None]
    if d.known.kind != "eeg":
        d.decline("channels.Interpolate", "contacts in the brain: what others show does not replace one")
    elif unplaced:
        d.decline("channels.Interpolate", f"no positions of {names(unplaced, 3)}: a marked channel stays marked, and no "
                  "window over all channels is valid meanwhile")  # fmt: skip
    elif len(kept) < 8:
        d.decline("channels.Interpolate", f"{len(kept)} electrodes are too few to estimate one from the others")
    else:
        slow(d, "Interpolate")
        stage = Interpolate()
        try:
            chain(d.front, stage).describe(d.recording.info)
        except RanvierError as e:
            d.decline("channels.Interpolate", str(e))
            return
        d.propose(stage, "a decoder needs every channel at every instant; estimates carry nothing new")


def references(d: Draft) -> None:
    """Take off what EOG, EMG or motion channels predict, if they predict something."""
    if not d.known.references:
        d.decline("denoise.RLS", "no EOG, EMG or motion channel")
        return
    if d.known.rate < 64:
        d.decline("denoise.RLS", f"a rate of {d.known.rate:g} Hz is too low")
        return
    kinds = {d.recording.info.channels.kinds[d.recording.info.channels.names.index(n)] for n in d.known.references}
    stage = RLS(references=tuple(sorted(kinds)))
    tried = _tried_behind_highpass(d, stage)
    if isinstance(tried, str):
        d.decline("denoise.RLS", tried)
        return
    share = tried.explained
    strong = share >= EXPLAINED
    most = float(share.max(initial=0))
    if strong.mean() >= SOME:
        signals(d)
        slow(d, "RLS")
        d.propose(stage, f"{names(d.known.references, 4)} predict {100 * EXPLAINED:g} % or more of the power of "
                  f"{int(strong.sum())} of {len(share)} channels (at most {100 * most:.0f} %); what of the brain they hear "
                  "goes too")  # fmt: skip
    else:
        d.decline("denoise.RLS", f"{names(d.known.references, 4)} predict {100 * EXPLAINED:g} % or more of the power of "
                  f"{int(strong.sum())} of {len(share)} channels (at most {100 * most:.2g} %); held against "
                  f"{100 * SOME:g} % of them")  # fmt: skip


def _provisional(d: Draft) -> Stage:
    return d.front if d.has(Highpass) else chain(d.front, Highpass(d.known.corner))


def _tried_behind_highpass(d: Draft, stage: Stage) -> Tried | str:
    front = _provisional(d)
    try:
        kept = tuple(n for n in front.describe(d.recording.info).channels.names if n in d.known.electrodes)
        return try_stage(front, stage, d.recording, kept, d.advance)
    except RanvierError as e:
        return str(e)


def artefacts(d: Draft) -> None:
    """Replace what is larger than clean signal, if there is any."""
    seconds = d.seen.measure.size / d.known.rate
    why = ""
    if d.known.kind != "eeg":
        why = "made for EEG, where many electrodes see the same"
    elif len(d.known.electrodes) < FEWEST:
        why = f"{len(d.known.electrodes)} electrodes leave no room for a subspace; {FEWEST} are needed"
    elif seconds < LONG_ENOUGH:
        why = f"{seconds:.3g} s are too short to learn from: {LONG_ENOUGH:g} s are needed"
    if why:
        d.findings.append(Finding("artefacts", "unknown", f"what is larger than clean signal was not judged: {why}"))
        d.decline("denoise.ASR", why)
        return
    try:
        runs = fit_one(ASR(), _provisional(d), d.recording, d.advance)
    except RanvierError as e:
        d.findings.append(Finding("artefacts", "unknown", f"what is larger than clean signal was not judged: {e}"))
        d.decline("denoise.ASR", str(e))
        return
    tried = _tried_behind_highpass(d, runs)
    if isinstance(tried, str):
        d.decline("denoise.ASR", tried)
        return
    part, count = float(tried.large.mean()) if len(tried.large) else 0.0, int(tried.large.sum())
    shrunk = tried.shrunk
    text = f"something is larger than clean signal in {count} of {len(tried.large)} s"
    if count:
        text += f"; ASR takes off more than the usual rms there, and its range falls by {100 * shrunk:.0f} %"
    enough = part >= LARGE and count >= SEVERAL and shrunk >= SHRUNK
    level = "fault" if enough else "good"
    d.findings.append(Finding("artefacts", level, text, 100 * part, "% of the seconds", 100 * LARGE))
    if part > MOSTLY:
        d.decline("denoise.ASR", f"{text}: too often to be the exception; the calm stretches are not clean")
    elif enough:
        signals(d)
        slow(d, "ASR")
        eyes = d.seen.blinks
        more = ", blinks among it" if eyes is not None and eyes.a_minute >= BLINKS else ""
        d.propose(ASR(), f"{text}{more}; {HURT}", runs)
    else:
        eyes = d.seen.blinks
        stay = " (blinks stay: they are part of what was learned)" if eyes is not None and eyes.a_minute >= BLINKS else ""
        d.decline("denoise.ASR", f"{text}; held against {100 * LARGE:g} % of the time: it would gain next to nothing{stay}, and {HURT}")
