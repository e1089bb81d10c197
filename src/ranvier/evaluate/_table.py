"""Table: trials with whose they are, so that they can be split by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError
from ranvier.stream import Entities, Recording, Trials, codes_of

StrArray = npt.NDArray[np.str_]
WHO = ("subject", "session", "run")


@dataclass(frozen=True, kw_only=True)
class TrialRule:
    """Which events are trials, and of which class.

    Parameters
    ----------
    labels
        Glob of event labels -> class. Of events at one sample only the first is taken whose glob stands
        first here, so that ``StimulusType=1`` can say which of all ``StimulusCode=*`` are targets.
    tmin, tmax
        The part of a trial that counts [s from the event].
    item
        Glob of events that name what was shown, at the same sample as the trial (spellers).
    block
        Glob of events that begin a block of trials (a letter): folds may leave whole blocks out.
    """

    labels: Mapping[str, str]
    tmin: float
    tmax: float
    item: str = ""
    block: str = ""

    def find(self, rec: Recording) -> Table | None:
        """Return the trials of a recording; None where no event fits."""
        events, info = rec.events.table, rec.event_info
        order = {code: i for i, p in reversed(list(enumerate(self.labels))) for code in codes_of(info, p)}
        classes = list(self.labels.values())
        best: dict[int, int] = {}
        for e in events:
            if (k := order.get(int(e["code"]))) is not None:
                at = int(e["sample"])
                best[at] = min(best.get(at, k), k)
        if not best:
            return None
        onset = np.array(sorted(best), dtype=np.int64)
        begins = self._at(rec, self.block)
        items = {int(e["sample"]): info.labels[int(e["code"])] for e in self._rows(rec, self.item)}
        trials = Trials(
            onset=onset, label=np.array([classes[best[int(i)]] for i in onset], dtype=np.str_),
            group=np.array([rec.entities.run or rec.entities.session] * len(onset), dtype=np.str_),
            recording=np.zeros(len(onset), dtype=np.int64), tmin=self.tmin, tmax=self.tmax, rate=info.rate,
        )  # fmt: skip
        inside = (trials.begin >= 0) & (trials.end <= rec.n_samples)
        block = np.array([str(b) for b in np.searchsorted(begins, onset, side="right")], dtype=np.str_)
        item = np.array([items.get(int(i), "") for i in onset], dtype=np.str_)
        return Table.of(trials, [rec.entities], block=block, item=item).take(inside)

    def _rows(self, rec: Recording, pattern: str) -> Any:
        codes = codes_of(rec.event_info, pattern) if pattern else []
        table = rec.events.table
        return table[np.isin(table["code"], codes)]

    def _at(self, rec: Recording, pattern: str) -> npt.NDArray[np.int64]:
        return np.asarray(self._rows(rec, pattern)["sample"], dtype=np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """Trials of one or several recordings, and for each whose it is and what was shown."""

    trials: Trials
    subject: StrArray
    session: StrArray
    run: StrArray
    block: StrArray
    item: StrArray

    @classmethod
    def of(
        cls,
        trials: Trials,
        entities: Sequence[Entities],
        *,
        block: StrArray | None = None,
        item: StrArray | None = None,
    ) -> Table:
        """Look up whose each trial is by the recording that it lies in."""
        if len(trials) and int(trials.recording.max()) >= len(entities):
            raise ContractError(
                f"Trials need a recording each; got recording {int(trials.recording.max())} of {len(entities)}. "
                "Give the recordings in the order in which their trials were joined."
            )
        who = {k: np.array([str(getattr(e, k)) for e in entities], dtype=np.str_)[trials.recording] for k in WHO}
        none = np.full(len(trials), "", dtype="<U1")
        return cls(trials=trials, block=none if block is None else block, item=none if item is None else item, **who)

    @staticmethod
    def join(parts: Sequence[Table]) -> Table:
        """Join the tables of several recordings, in their order."""
        joined = {k: np.concatenate([getattr(p, k) for p in parts]) for k in (*WHO, "block", "item")}
        return Table(trials=Trials.concatenate([p.trials for p in parts]), **joined)

    def take(self, index: Any) -> Table:
        """Return some of the trials."""
        return Table(trials=self.trials[index], **{k: getattr(self, k)[index] for k in (*WHO, "block", "item")})

    def __len__(self) -> int:
        return len(self.trials)

    def key(self, *names: str) -> StrArray:
        """Return one text a trial that is the same where all the named columns are."""
        columns = [getattr(self, n) if n != "recording" else self.trials.recording.astype(str) for n in names]
        return np.array(["/".join(row) for row in zip(*columns, strict=True)], dtype=np.str_) if columns else np.full(
            len(self), "", dtype="<U1"
        )  # fmt: skip


def fits(text: str, patterns: Sequence[str]) -> bool:
    """Say whether a text fits one of some globs; no glob fits all."""
    return not patterns or any(fnmatchcase(text, p) for p in patterns)
