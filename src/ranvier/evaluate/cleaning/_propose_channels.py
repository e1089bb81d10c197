"""Stages that decide which channels are used: what is lost is left out, what is bad at times is marked or estimated."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ranvier.channels import BadChannels, Interpolate, Montage
from ranvier.errors import RanvierError
from ranvier.evaluate.cleaning._draft import Draft
from ranvier.evaluate.cleaning._findings import BAD, LOST, names
from ranvier.evaluate.cleaning._judge import Verdicts
from ranvier.evaluate.cleaning._propose_filters import signals, slow, without
from ranvier.stage import chain

TWICE = "bridged"  # bad, yet a signal
LONG_BAD = 10.0  # for which a channel is bad, at least, to be left out [s]


def montage(d: Draft) -> Montage | None:
    """Return what says where the electrodes are, where the recording does not but their names do."""
    info = d.front.describe(d.recording.info)
    known = zip(info.channels.kinds, info.channels.positions, strict=True)
    if all(place is not None for kind, place in known if kind == "eeg"):
        return None
    try:
        Montage().describe(info)
    except RanvierError:
        return None
    return Montage()


def _place(d: Draft) -> None:
    if (places := montage(d)) is not None:
        d.place(places, "the recording holds no positions; the electrodes' names say where they are")


def channels(d: Draft, verdicts: Verdicts | None, mains: float) -> None:
    """Leave out what is bad most of the time, mark what is bad for some."""
    if verdicts is None or not verdicts.judged:
        d.decline("channels.BadChannels", "channels could not be judged")
        return
    absent = d.seen.missing / max(d.seen.measure.size, 1)  # in the mask already
    share = {n: verdicts.share(c) - verdicts.share(c, TWICE) for c, n in enumerate(verdicts.names)}
    gone = {n: max(share[n], float(absent[c])) for c, n in enumerate(verdicts.names)}
    total = verdicts.judged / verdicts.rate
    twice = [n for c, n in enumerate(verdicts.names) if verdicts.share(c, TWICE) >= BAD]
    if twice:
        why = "are bridged, but hold a signal: keep them, mend the gel next time; between two of them there is nothing"
        d.decline("channels.Pick", f"{names(twice)} {why}")
    lost = [n for n in verdicts.names if gone[n] >= LOST and gone[n] * total >= LONG_BAD and len(share) > 1]
    if len(lost) * 2 >= len(verdicts.names):
        d.decline("channels.Pick", f"{len(lost)} of {len(share)} channels are bad most of the time: mend the recording")
        lost = []
    if lost:
        d.pick(
            without(d, lost), f"{names([_share(n, gone[n]) for n in lost])}: what is lost most of the time is left out"
        )
    some = [n for n in verdicts.names if n not in lost and share[n] >= BAD]
    judge = d.known.verdicts(mains)
    if not some:
        worst = max((s for n, s in share.items() if n not in lost), default=0.0)
        which = "no other channel" if lost else "no channel"
        text = f"{which} is bad for {100 * BAD:g} % of the time (at most {100 * worst:.2g} %)"
        d.decline("channels.BadChannels", text)
        return
    signals(d)
    _place(d)
    same: dict[str, Any] = {f.name: getattr(judge, f.name) for f in fields(judge)}
    same["ignore"] = (*judge.ignore, *([TWICE] if twice else []))
    marked = sorted(some, key=lambda n: -share[n])
    d.propose(BadChannels(**same), f"marks {names([_share(n, share[n]) for n in marked], 4)}, while it lasts")


def _share(name: str, share: float) -> str:
    return f"{name} ({max(100 * share, 0.1):.2g} %)"


def lost_ones(d: Draft) -> None:
    """Put estimates in the place of channels that are marked."""
    missing = any(f.topic == "missing" and f.level == "fault" for f in d.findings)
    if not d.has(BadChannels) and not missing:
        d.decline("channels.Interpolate", "no channel is marked: nothing to estimate")
        return
    places = montage(d)
    c = chain(d.front, *([] if places is None else [places])).describe(d.recording.info).channels
    kept = [n for n in c.names if n in d.known.electrodes]
    unplaced = [n for n in kept if c.positions[c.names.index(n)] is None]
    if d.known.kind != "eeg":
        d.decline("channels.Interpolate", "contacts in the brain: what others show does not replace one")
    elif unplaced:
        why = "a marked channel stays marked, and no window over all channels is valid meanwhile"
        d.decline("channels.Interpolate", f"no positions of {names(unplaced, 3)}: {why}")
    elif len(kept) < 8:
        d.decline("channels.Interpolate", f"{len(kept)} electrodes are too few to estimate one from the others")
    else:
        _place(d)
        slow(d, "Interpolate")
        stage = Interpolate()
        try:
            chain(d.front, stage).describe(d.recording.info)
        except RanvierError as e:
            d.decline("channels.Interpolate", str(e))
            return
        d.propose(stage, "a decoder needs every channel at every instant; estimates carry nothing new")
