"""Stages that take something away sample by sample: the entrance, offsets, mains, stimulation, the spike band."""

from __future__ import annotations

import numpy as np

from ranvier.channels import CommonReference, Pick
from ranvier.denoise import PARRM, Bandpass, Highpass, Integrity, LineNoise
from ranvier.errors import RanvierError
from ranvier.evaluate.cleaning._draft import Draft
from ranvier.evaluate.cleaning._findings import DRIFT, HUM, LINE, OFFSET, amount, names
from ranvier.evaluate.cleaning._stimulation import Stimulation, near_multiple
from ranvier.evaluate.cleaning._trial import try_stage

COMMON = 0.05  # part of the rms that a common reference takes off spikes, at least
LOW = 0.3  # part of the power below the spike band
WORKED = 1.0  # what removing a period has to take off the power [dB]


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
    if not gained >= WORKED or not tried.after.valid.any():
        d.decline("denoise.PARRM", f"it takes {gained:.2g} dB off the power: the period does not hold")
        return
    d.propose(stage, f"stimulation every {found.period:.8g} samples; it takes {gained:.3g} dB off the power")


def without(d: Draft, lost: list[str]) -> Pick:
    known = [*d.known.electrodes, *d.known.references]
    kinds = tuple(dict.fromkeys(k for n, k in zip(d.recording.info.channels.names, d.recording.info.channels.kinds,
                                                  strict=True) if n in set(known)))  # fmt: skip
    everything = d.recording.info.channels.names
    plain = not any(n.startswith("-") or n in kinds or set(n) & set("*?[") for n in everything)
    return Pick((*kinds, *(f"-{n}" for n in lost))) if plain else Pick(tuple(n for n in known if n not in lost))


def signals(d: Draft) -> None:
    """Leave out what is no signal, before the first filter."""
    if d.known.others and not d.has(Pick):
        d.pick(without(d, []), f"{names(d.known.others)}: triggers and the like are not to be filtered")


def slow(d: Draft, needed_by: str = "") -> None:
    """Take offset and drift away, where there are some or something later needs it."""
    if d.has(Highpass) or d.has(Bandpass):
        return
    found = next((f for f in d.findings if f.topic == "offset"), None)
    if found is not None and found.level == "fault":
        signals(d)
        d.propose(Highpass(d.known.corner), f"{found.text}: before anything that combines channels; it "
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
        d.decline(
            "denoise.Bandpass", f"{100 * part:.0f} % of the power lies below 300 Hz; held against {100 * LOW:g} %"
        )
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
            d.decline(
                "channels.CommonReference", f"takes {100 * gain:.1f} % off the rms; held against {100 * COMMON:g} %"
            )
    d.decline("denoise.Whiten", "for sorting spikes; crossings and rates need no whitening, and it costs the most")
