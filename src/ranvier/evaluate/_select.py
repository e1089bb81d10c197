"""Select: some of the trials, or of the time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ranvier.evaluate._table import Table, fits


@dataclass(frozen=True, kw_only=True)
class Select:
    """Some of the trials, or of the time: what fits everything that is given.

    Parameters
    ----------
    subject, session, run
        Globs.
    recordings
        Range ``[a, b)`` of the recordings, in their order.
    trials
        Range of the trials, in their order.
    samples
        Range of source samples of each recording.
    part
        Range of each recording as shares, such as 0.0 to 0.8.
    """

    subject: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    recordings: tuple[int, int] | None = None
    trials: tuple[int, int] | None = None
    samples: tuple[int, int] | None = None
    part: tuple[float, float] | None = None

    def range(self, n_samples: int) -> tuple[int, int]:
        """Return the source samples that are chosen of a recording."""
        a, b = self.samples or (0, n_samples)
        if self.part is not None:
            a, b = max(a, round(self.part[0] * n_samples)), min(b, round(self.part[1] * n_samples))
        return max(0, a), min(b, n_samples)

    def choose(self, table: Table, n_samples: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Return True for each trial that is chosen."""
        t = table.trials
        ok = np.ones(len(table), bool)
        for name in ("subject", "session", "run"):
            ok &= np.array([fits(v, getattr(self, name)) for v in getattr(table, name)], dtype=bool)
        for chosen, place in ((self.recordings, t.recording), (self.trials, np.arange(len(table)))):
            if chosen is not None:
                ok &= (place >= chosen[0]) & (place < chosen[1])
        for r, n in enumerate(n_samples):
            a, b = self.range(n)
            ok &= (t.recording != r) | ((t.begin >= a) & (t.end <= b))
        return ok
