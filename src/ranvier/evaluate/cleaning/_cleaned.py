"""clean: a recording through a pipeline, and what that did to it, in figures and in moments to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ranvier.denoise import Integrity
from ranvier.errors import ConfigError
from ranvier.evaluate.cleaning._measure import Measure
from ranvier.evaluate.cleaning._moments import Moments
from ranvier.evaluate.cleaning._panes import Advance, paired, pane_size, panes, side_by_side
from ranvier.evaluate.cleaning._spectrum import bands_of
from ranvier.stage import Stage
from ranvier.stream import Array, EventInfo, Recording, StreamInfo


@dataclass(frozen=True, eq=False)
class Cleaned:
    """What a pipeline did to a recording.

    Parameters
    ----------
    info
        What came out.
    pipeline
        What it went through.
    before, after
        The same channels at the same instants, in front and behind; spectra of windows that are valid in both.
    marked
        Samples of each channel that the pipeline marks and that were valid in front of it.
    removed
        Their difference; None where units differ.
    moments
        The worst and a typical one.
    digest
        SHA-256 of all that came out, numbers and mask: two runs of one pipeline have the same.
    """

    info: StreamInfo
    pipeline: Stage
    before: Measure
    after: Measure
    removed: Measure | None
    marked: Array
    moments: Moments
    digest: str

    def channels(self, mains: float | None) -> list[dict[str, Any]]:
        """Return a row a channel: levels, ranges, marked share, power by band before and after, mains."""
        spikes = set(self.info.channels.kinds) == {"spikes"} or float(self.info.rate) >= 10_000
        bands = bands_of(float(self.info.rate), spikes)
        powers = {k: (self.before.spectrum.band(*b), self.after.spectrum.band(*b)) for k, b in bands.items()}
        lines = (self.before.spectrum.line(mains)[1], self.after.spectrum.line(mains)[1]) if mains else None
        rows = []
        for i, name in enumerate(self.info.channels.names):
            row: dict[str, Any] = {
                "name": name, "kind": self.info.channels.kinds[i], "unit": self.info.channels.units[i],
                "rms_before": _one(self.before.rms, i), "rms_after": _one(self.after.rms, i),
                "rms_removed": None if self.removed is None else _one(self.removed.rms, i),
                "peak_before": _peak(self.before, i), "peak_after": _peak(self.after, i),
                "mean_before": _one(self.before.mean, i), "mean_after": _one(self.after.mean, i),
                "marked": int(self.marked[i]), "marked_share": float(self.marked[i] / max(self.before.size, 1)),
                "valid_before": int(self.before.valid[i]), "valid_after": int(self.after.valid[i]),
                "line_before": None if lines is None else _one(lines[0], i),
                "line_after": None if lines is None else _one(lines[1], i),
                "bands": {k: [_one(a, i), _one(b, i)] for k, (a, b) in powers.items()},
            }  # fmt: skip
            rows.append(row)
        return rows


def _one(x: Array, i: int) -> float | None:
    return float(x[i]) if np.isfinite(x[i]) else None


def _peak(measure: Measure, i: int) -> float | None:
    """Return half of the largest range of a hop: a peak without the offset."""
    column = measure.ranges[:, i]
    return float(np.nanmax(column) / 2) if np.isfinite(column).any() else None


def check(pipeline: Stage, recording: Recording) -> StreamInfo:
    """Refuse, before anything long begins, a pipeline whose output cannot be laid beside its input."""
    from ranvier.stage import infos_of

    info = pipeline.describe(*infos_of(pipeline, recording))
    source = recording.info
    wrong = "" if isinstance(info, StreamInfo) else ("events" if isinstance(info, EventInfo) else "several streams")
    if isinstance(info, StreamInfo):
        if not info.is_signal or info.rate != source.rate:
            wrong = f"samples of shape {info.shape} at {float(info.rate):g} Hz"
        elif unknown := [n for n in info.channels.names if n not in source.channels.names]:
            wrong = f"channels that the recording lacks ({', '.join(unknown[:4])})"
    if wrong:
        raise ConfigError(
            f"clean needs a pipeline that puts out channels of the recording at its rate, {float(source.rate):g} Hz; "
            f"got {wrong}. Leave out windows, features, decoders, resampling and bipolar references; `ranvier run` "
            "takes any pipeline."
        )
    return info  # type: ignore[no-any-return]


def run_over(pipeline: Stage, recording: Recording, advance: Advance) -> Cleaned:
    """Let a recording through a pipeline, block by block, and measure what that does."""
    import hashlib

    info = check(pipeline, recording)
    entrance = Integrity()
    raw = entrance.describe(recording.info)
    same = [raw.channels.names.index(n) for n in info.channels.names]
    own = raw.but(channels=raw.channels.take(same), shape=(len(same),))
    n = recording.n_samples
    comparable = own.channels.units == info.channels.units
    before, after = Measure(own, n), Measure(info, n)
    removed = Measure(own, n, spectrum=False) if comparable else None
    marked, numbers, masks = np.zeros(len(same), np.int64), hashlib.sha256(), hashlib.sha256()
    size = pane_size(info)
    moments = Moments(float(info.rate), size)

    def told() -> Any:
        for blocks in side_by_side(entrance, pipeline, recording, advance):
            out = blocks[-1]
            numbers.update(np.where(out.valid, out.data, 0).tobytes())
            masks.update(out.valid.tobytes())
            yield blocks

    for p in panes(paired(told(), round(info.delay * info.rate), same), size):
        both = p.before_ok & p.after_ok
        before.add(p.before, both, p.start)
        after.add(p.after, both, p.start)
        marked += (p.before_ok & ~p.after_ok).sum(axis=0)
        if removed is not None:
            removed.add(p.before.astype(np.float64) - p.after, both, p.start)
        moments.add(p)
    return Cleaned(info, pipeline, before, after, removed, marked, moments,
                   hashlib.sha256(numbers.digest() + masks.digest()).hexdigest())  # fmt: skip
