"""Finding: something measured, the figure, and the threshold that it was held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ranvier.evaluate.cleaning._judge import Verdicts
from ranvier.evaluate.cleaning._look import Look
from ranvier.evaluate.cleaning._measure import medians
from ranvier.evaluate.cleaning._profile import Profile
from ranvier.evaluate.cleaning._stimulation import Stimulation
from ranvier.stream import Array, StreamInfo

OFFSET = 10.0  # times the usual rms: an offset that a filter or a fault would turn into an artefact
DRIFT = 2.0  # spread of the means of hops, in usual rms
LINE = 10.0  # how far mains stands above its neighbourhood [dB]
HUM = 0.05  # of the usual rms: mains that matters below 40 Hz
NOTHING = 0.005  # of the usual rms: mains that matters to nobody
BAD = 0.02  # part of the time in which a channel is bad, from which on it is said
LOST = 0.5  # part of the time in which a channel is bad, from which on it is left out
BLINKS = 4.0  # a minute


@dataclass(frozen=True)
class Finding:
    """What was measured.

    Parameters
    ----------
    topic
        What was looked for.
    level
        ``good``: looked for and not found. ``fault``: something to do. ``note``: something to know. ``unknown``: it
        could not be judged, and why.
    text
        A sentence with the figure in it.
    value, unit, limit
        The figure, its unit, and the threshold; None where there is none.
    channels
        Which channels it is about; none for all.
    """

    topic: str
    level: str
    text: str
    value: float | None = None
    unit: str = ""
    limit: float | None = None
    channels: tuple[str, ...] = field(default=())

    def as_table(self) -> dict[str, Any]:
        """Return plain values with stable keys."""
        return {"topic": self.topic, "level": self.level, "text": self.text, "value": self.value, "unit": self.unit,
                "limit": self.limit, "channels": list(self.channels)}  # fmt: skip


def names(channels: Sequence[str], most: int = 6) -> str:
    """Return names in words, the first few of many."""
    shown = ", ".join(channels[:most])
    return f"{shown} and {len(channels) - most} more" if len(channels) > most else shown


def amount(value: float, unit: str) -> str:
    """Return a potential in words: uV below 1 mV."""
    if unit == "uV" and abs(value) >= 1e6:
        return f"{value / 1e6:.3g} V"
    if unit == "uV" and abs(value) >= 1000:
        return f"{value / 1000:.3g} mV"
    return f"{value:.3g} {unit}".strip() if unit != "1" else f"{value:.3g}"


def percent(part: float) -> str:
    """Return a part as a percentage, with two digits below 10."""
    return f"{100 * part:.2g} %" if part < 0.1 else f"{100 * part:.0f} %"


def of_kind(info: StreamInfo, known: Profile, seconds: float) -> Finding:
    """Say what kind of recording it is."""
    what = {"eeg": "EEG", "field": "field potentials (ECoG, LFP)", "spikes": "spike band", "none": "no electrodes"}
    kinds = ", ".join(f"{info.channels.kinds.count(k)} {k}" for k in dict.fromkeys(info.channels.kinds))
    text = f"{kinds} at {known.rate:g} Hz for {seconds:.4g} s: {what[known.kind]}"
    return Finding("recording", "note", text, known.rate, "Hz")


def missing(seen: Look, known: Profile) -> Finding:
    """Say what is missing."""
    cells, lost = max(seen.measure.size * len(seen.names), 1), int(seen.missing.sum())
    where = tuple(n for n, m in zip(seen.names, seen.missing, strict=True) if m)
    gaps = [g for _, g in seen.gaps]
    if not lost and not gaps:
        return Finding("missing", "good", "no number is missing, no gap", 0.0, "%", 0.0)
    parts = [f"{lost} numbers ({100 * lost / cells:.3g} %) are missing on {names(where)}"] if lost else []
    if gaps:
        parts.append(f"{len(gaps)} gaps, the longest {max(gaps) / known.rate:.3g} s")
    return Finding("missing", "fault" if lost else "note", "; ".join(parts), 100 * lost / cells, "%", 0.0, where)


def offset(seen: Look, known: Profile) -> Finding:
    """Say how far channels lie from 0, and how far they move."""
    usual, level = np.where(seen.measure.usual > 0, seen.measure.usual, np.nan), np.abs(seen.measure.mean)
    if not np.isfinite(usual).any():
        return Finding("offset", "unknown", "no channel varies: offsets were not judged")
    with np.errstate(all="ignore"):
        away, moved = level / usual, _spread(seen.measure.means) / usual
    unit, worst = known.unit, int(np.nanargmax(level))
    far = tuple(n for n, a in zip(seen.names, away, strict=True) if a >= OFFSET)
    drifting = tuple(n for n, m in zip(seen.names, moved, strict=True) if m >= DRIFT)
    if far:
        most = f"{amount(float(level[worst]), unit)} ({seen.names[worst]})"
        text = f"offset up to {most}, {np.nanmax(away):.3g} times the usual rms"
        return Finding("offset", "fault", text, float(np.nanmax(away)), "times the rms", OFFSET, far)
    if len(drifting) * 4 >= len(seen.names):
        text = f"drift: the means of seconds move by {np.nanmedian(moved):.2g} times the rms within one"
        return Finding("offset", "fault", text, float(np.nanmedian(moved)), "times the rms", DRIFT, drifting)
    text = f"offset at most {amount(float(level[worst]), unit)}, {np.nanmax(away):.2g} times the usual rms"
    return Finding("offset", "good", text, float(np.nanmax(away)), "times the rms", OFFSET)


def _spread(means: Array) -> Array:
    """Return how far the means of hops lie about their median, robustly."""
    return 1.4826 * medians(np.abs(means - medians(means)))


def mains(seen: Look, known: Profile) -> Finding:
    """Say how far mains stands out, and on how many channels."""
    if seen.mains is None or not np.isfinite(seen.over).any():
        why = "4 s are needed" if known.rate >= 110 else f"a rate of {known.rate:g} Hz shows no 50 or 60 Hz"
        return Finding("mains", "unknown", f"mains was not judged: {why}")
    strong = np.nan_to_num(seen.over) >= LINE
    count, middle = int(strong.sum()), float(np.nanmedian(seen.over[strong])) if strong.any() else 0.0
    if not count:
        most = float(np.nanmax(seen.over))
        text = f"nothing stands out at 50 or 60 Hz: at most {most:.2g} dB over the neighbourhood"
        return Finding("mains", "good", text, most, "dB", LINE)
    with np.errstate(all="ignore"):
        part = float(np.nanmedian((seen.hum / seen.measure.usual)[strong]))
    hum = float(np.nanmedian(seen.hum[strong]))
    text = (f"{seen.mains:.2f} Hz is {middle:.0f} dB over its neighbourhood in {count} of {len(seen.names)} channels; "
            f"{amount(hum, known.unit)} rms, {percent(part)} of the usual rms")  # fmt: skip
    where = tuple(n for n, s in zip(seen.names, strong, strict=True) if s)
    if part < NOTHING:
        return Finding("mains", "good", text, middle, "dB", LINE, where)
    matters = part >= HUM or known.kind != "eeg"
    return Finding("mains", "fault" if matters else "note", text, middle, "dB", LINE, where)


def channels(verdicts: Verdicts | None, known: Profile) -> list[Finding]:
    """Say which channels are bad, why and for how long: one finding a reason."""
    if verdicts is None or not verdicts.judged:
        low = f"a rate of {known.rate:g} Hz is too low, it takes {known.slowest:g} Hz"
        why = low if verdicts is None else "there is no whole second"
        return [Finding("channels", "unknown", f"channels were not judged: {why}")]
    total = verdicts.judged / verdicts.rate
    bad: dict[str, list[int]] = {}
    for c in range(len(verdicts.names)):
        if verdicts.share(c) >= BAD:
            bad.setdefault(verdicts.why(c), []).append(c)
    if not bad:
        few = "" if len(verdicts.names) >= 4 else " (fewer than 4 are not compared with each other)"
        worst = max((verdicts.share(c) for c in range(len(verdicts.names))), default=0.0)
        text = f"no channel is bad for {100 * BAD:g} % of the time{few}"
        return [Finding("channels", "good", text, 100 * worst, "% of the time", 100 * BAD)]
    found = []
    for reason, which in sorted(bad.items(), key=lambda item: -len(item[1])):
        which.sort(key=lambda c: -verdicts.seconds(c))
        each = [f"{verdicts.names[c]} for {verdicts.seconds(c):.3g} s" for c in which]
        share = 100 * verdicts.share(which[0])
        text = f"{reason}: {names(each)} of {total:.4g} s"
        named = tuple(verdicts.names[c] for c in which)
        found.append(
            Finding(
                "channels", "note" if reason == "bridged" else "fault", text, share, "% of the time", 100 * BAD, named
            )
        )
    return found


def blinks(seen: Look, known: Profile) -> Finding:
    """Say how often the eyes blink."""
    b = seen.blinks
    if b is None:
        why = "no channel is known to lie near the eyes, or there are less than 10 s"
        return Finding("blinks", "unknown", f"blinks were not counted: {why}")
    text = f"{b.a_minute:.3g} blinks a minute on {names(b.channels)}"
    if b.a_minute >= BLINKS:
        return Finding("blinks", "fault", f"{text}, {b.peak:.3g} uV", b.a_minute, "a minute", BLINKS, b.channels)
    return Finding("blinks", "good", text, b.a_minute, "a minute", BLINKS)


def stimulation(found: Stimulation | None, seen: Look, asked: float | None) -> Finding:
    """Say what repeats."""
    if found is None and asked is None and not seen.measure.spectrum.count.any():
        return Finding("stimulation", "unknown", "stimulation was not looked for: no second of signal is whole")
    if found is None:
        if asked is not None:
            return Finding(
                "stimulation",
                "unknown",
                f"no period was found near {asked:g} Hz: 1,000 samples without a gap are needed",
            )
        return Finding("stimulation", "good", "no line but mains stands out like stimulation", None, "dB", 25.0)
    text = (f"{found.frequency:.6g} Hz, a period of {found.period:.8g} samples, is {found.over:.0f} dB over its "
            f"neighbourhood")  # fmt: skip
    return Finding("stimulation", "fault", text, found.over, "dB", 25.0)
