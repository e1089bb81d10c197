"""Stages that learn or adapt: tried on the recording, and proposed where they take enough off it."""

from __future__ import annotations

from ranvier.denoise import ASR, RLS, Highpass
from ranvier.errors import RanvierError
from ranvier.evaluate.cleaning._draft import Draft
from ranvier.evaluate.cleaning._findings import BLINKS, Finding, names
from ranvier.evaluate.cleaning._fit import fit_one
from ranvier.evaluate.cleaning._propose_filters import signals, slow
from ranvier.evaluate.cleaning._trial import Tried, try_stage
from ranvier.stage import Stage, chain

EXPLAINED, SOME = 0.1, 0.1  # part of a channel's power that references predict, and part of the channels where they do
LARGE, MOSTLY = 0.03, 0.5  # part of the seconds in which ASR takes off more than the usual rms: least and most
SEVERAL = 3  # of them, at least
SHRUNK = 0.1  # by which part the range falls there, at least
LONG_ENOUGH = 40.0  # that ASR takes [s]
FEWEST = 4  # electrodes among which there is room for a subspace
HURT = "it gained decoding nothing on clean recordings (docs/denoise.md); cut epochs behind it later by its look-ahead"


def references(d: Draft) -> None:
    """Take off what EOG, EMG or motion channels predict, if they predict something."""
    if not d.known.references:
        d.decline("denoise.RLS", "no EOG, EMG or motion channel")
        return
    if d.known.rate < 64:
        d.decline("denoise.RLS", f"a rate of {d.known.rate:g} Hz is too low")
        return
    kinds = {d.recording.info.channels.kinds[d.recording.info.channels.names.index(n)] for n in d.known.references}
    for quiet in (RLS().quiet, 0.0):  # references that move now and then, or all the time
        stage = RLS(references=tuple(sorted(kinds)), quiet=quiet)
        tried = _tried(d, stage)
        if isinstance(tried, str):
            d.decline("denoise.RLS", tried)
            return
        share = tried.explained
        strong = share >= EXPLAINED
        if strong.mean() >= SOME:
            break
    most = float(share.max(initial=0))
    text = (
        f"{names(d.known.references, 4)} predict {100 * EXPLAINED:g} % or more of the power of {int(strong.sum())} of "
    )
    text += f"{len(share)} channels (at most {100 * most:.2g} %)"
    if strong.mean() >= SOME:
        signals(d)
        slow(d, "RLS")
        d.propose(stage, f"{text}; what of the brain they hear goes too")
    else:
        d.decline("denoise.RLS", f"{text}; held against {100 * SOME:g} % of them")


def _behind_highpass(d: Draft) -> Stage:
    return d.front if d.has(Highpass) else chain(d.front, Highpass(d.known.corner))


def _tried(d: Draft, stage: Stage) -> Tried | str:
    front = _behind_highpass(d)
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
        runs = fit_one(ASR(), _behind_highpass(d), d.recording, d.advance)
    except RanvierError as e:
        d.findings.append(Finding("artefacts", "unknown", f"what is larger than clean signal was not judged: {e}"))
        d.decline("denoise.ASR", str(e))
        return
    tried = _tried(d, runs)
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
        stay = (
            " (blinks stay: they are part of what was learned)" if eyes is not None and eyes.a_minute >= BLINKS else ""
        )
        d.decline(
            "denoise.ASR",
            f"{text}; held against {100 * LARGE:g} % of the time: it would gain next to nothing{stay}, and {HURT}",
        )
