"""Trials and Targets: what a decoder is trained on and scored by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError
from ranvier.stream._events import Events, codes_of
from ranvier.stream._info import EventInfo

IntArray = npt.NDArray[np.int64]
StrArray = npt.NDArray[np.str_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trials:
    """A table of attempts: the unit of training and scoring.

    Parameters
    ----------
    onset
        Source sample of each cue, shape ``(n,)``.
    label
        What each was meant to be.
    group
        Run, session or subject that each belongs to: folds may be made by it.
    recording
        Index of the recording that each lies in, when there are several.
    tmin, tmax
        The part of a trial that counts [s from onset]; a window belongs to it only if it lies wholly inside.
    rate
        Rate of the index [Hz].
    """

    onset: IntArray
    label: StrArray
    group: StrArray
    recording: IntArray
    tmin: float
    tmax: float
    rate: Fraction

    def __post_init__(self) -> None:
        if not self.tmin < self.tmax:
            raise ContractError(f"Trials needs tmin < tmax; got tmin={self.tmin:g} s, tmax={self.tmax:g} s. Swap them.")
        if max(-self.tmin, self.tmax) * float(self.rate) >= 2**53:  # samples that no recording has
            raise ContractError(
                f"Trials needs tmin and tmax in seconds; got tmin={self.tmin:g} s, tmax={self.tmax:g} s. Lower them."
            )

    @classmethod
    def from_events(
        cls,
        events: Events,
        info: EventInfo,
        labels: str | Sequence[str] | dict[str, str],
        *,
        tmin: float,
        tmax: float,
        group: str = "",
    ) -> Trials:
        """Make trials of the events whose label fits; a mapping renames, glob -> class."""
        names = labels if isinstance(labels, dict) else {}
        wanted = [labels] if isinstance(labels, str) else list(labels)
        code_label: dict[int, str] = {}
        for pattern in wanted:
            for code in codes_of(info, pattern):
                code_label.setdefault(code, names.get(pattern, info.labels[code]))
        if not code_label:
            known = ", ".join(repr(v) for v in list(info.labels.values())[:12]) or "none"
            raise ContractError(
                f"Trials needs events labelled {wanted}; got labels {known}. Name labels that the recording has."
            )
        rows = [e for e in events.table if int(e["code"]) in code_label]
        return cls(
            onset=np.array([int(e["sample"]) for e in rows], dtype=np.int64),
            label=np.array([code_label[int(e["code"])] for e in rows], dtype=np.str_),
            group=np.array([group] * len(rows), dtype=np.str_),
            recording=np.zeros(len(rows), dtype=np.int64),
            tmin=tmin,
            tmax=tmax,
            rate=info.rate,
        )

    def __len__(self) -> int:
        return len(self.onset)

    def __getitem__(self, index: Any) -> Trials:
        """Return the trials at `index` (an array of places or truth values, or a slice)."""
        return replace(
            self,
            onset=self.onset[index],
            label=self.label[index],
            group=self.group[index],
            recording=self.recording[index],
        )

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(str(c) for c in np.unique(self.label))

    @property
    def begin(self) -> IntArray:
        """First source sample that belongs to each trial."""
        return self.onset + round(self.tmin * self.rate)

    @property
    def end(self) -> IntArray:
        """Source sample after the last that belongs to each trial."""
        return self.onset + round(self.tmax * self.rate)

    @staticmethod
    def concatenate(parts: Sequence[Trials]) -> Trials:
        """Join the trials of several recordings; `recording` counts them."""
        first = parts[0]
        for p in parts:
            if (p.tmin, p.tmax, p.rate) != (first.tmin, first.tmax, first.rate):
                raise ContractError(
                    f"Trials.concatenate needs one tmin, tmax and rate; got ({first.tmin:g} s, {first.tmax:g} s, "
                    f"{float(first.rate):g} Hz) and ({p.tmin:g} s, {p.tmax:g} s, {float(p.rate):g} Hz). "
                    "Cut all recordings alike."
                )
        return replace(
            first,
            onset=np.concatenate([p.onset for p in parts]),
            label=np.concatenate([p.label for p in parts]),
            group=np.concatenate([p.group for p in parts]),
            recording=np.concatenate([np.full(len(p), i, dtype=np.int64) for i, p in enumerate(parts)]),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Targets:
    """What a continuous decoder is to follow: one row of values a source sample.

    Parameters
    ----------
    names, units
        Of each value (``hand_x`` in ``cm/s`` ...).
    values
        Shape ``(n, n_values)``, float64; row i belongs to source sample ``start + i``.
    start
        Source index of the first row.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: npt.NDArray[np.float64]
    start: int = 0

    @property
    def stop(self) -> int:
        return self.start + len(self.values)

    def cut(self, start: int, stop: int) -> Targets:
        """Return the rows of source samples ``start <= i < stop``."""
        a, b = max(start, self.start), min(stop, self.stop)
        return replace(self, values=self.values[a - self.start : b - self.start], start=a)
