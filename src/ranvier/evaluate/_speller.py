"""Spellers: letters from the scores of flashes."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.evaluate._intervals import wilson
from ranvier.evaluate._scores import Outcome, wolpaw
from ranvier.evaluate._table import Table


@dataclass(frozen=True, kw_only=True)
class Speller:
    """How flashes make letters: one item of each group, such as a row and a column.

    Parameters
    ----------
    groups
        Lists of globs on what was shown (`TrialRule.item`); a letter is right when the best item of every
        group is.
    target
        The class of what the user attends.
    """

    groups: tuple[tuple[str, ...], ...]
    target: str

    def letters(self, table: Table, outcome: Outcome, pause: float) -> list[dict[str, Any]]:
        """Return for 1, 2, ... repetitions how many letters are right, with interval and bits per minute."""
        t = table.trials
        where = outcome.names.index(self.target)
        others = [i for i in range(len(outcome.names)) if i != where]
        value = np.full(len(t), np.nan)
        value[outcome.place] = outcome.scores[:, where] - outcome.scores[:, others].max(axis=1)
        blocks = [np.flatnonzero(table.key("subject", "session", "recording", "block") == b)
                  for b in dict.fromkeys(table.key("subject", "session", "recording", "block").tolist())]  # fmt: skip
        blocks = [b[np.isin(b, outcome.place)] for b in blocks]
        blocks = [b for b in blocks if len(b)]
        nth = {int(i): int((table.item[b[:k]] == table.item[i]).sum()) for b in blocks for k, i in enumerate(b)}
        symbols = np.prod([len({v for v in table.item if _in(v, g)}) for g in self.groups], dtype=np.int64)
        rows = []
        for r in range(1, max(nth.values(), default=-1) + 2):
            used = [np.array([i for i in b if nth[int(i)] < r]) for b in blocks]
            right = sum(self._right(table, u, value) for u in used)
            ends = [float((t.end[u].max() - t.onset[u].min()) / t.rate) for u in used]
            low, high = wilson(right, len(used))
            rate = wolpaw(right / len(used), int(symbols)) * 60 / (float(np.mean(ends)) + pause)
            rows.append({"repetitions": r, "letters": len(used), "right": right, "low": low, "high": high,
                         "seconds_per_letter": float(np.mean(ends)), "itr_bits_per_min": rate})  # fmt: skip
        return rows

    def _right(self, table: Table, used: npt.NDArray[np.int64], value: npt.NDArray[np.float64]) -> bool:
        for group in self.groups:
            mine = [i for i in used if _in(str(table.item[i]), group)]
            items = sorted({str(table.item[i]) for i in mine})
            total = {v: np.nansum([value[i] for i in mine if table.item[i] == v]) for v in items}
            meant = {str(table.item[i]) for i in mine if table.trials.label[i] == self.target}
            if not items or max(items, key=lambda v: total[v]) not in meant:
                return False
        return True


def _in(item: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(item, p) for p in patterns)
