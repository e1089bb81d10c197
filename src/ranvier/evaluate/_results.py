"""Results: rows, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ranvier.evaluate._intervals import FEW, of_difference, of_mean, of_mean_by_trials
from ranvier.evaluate._rows import Row
from ranvier.evaluate._scores import LIMITS, LOWER_IS_BETTER

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Results:
    """What an evaluation found.

    Parameters
    ----------
    protocol
        Name and id of the protocol.
    lines
        One `Row` a subject, session and pipeline.
    skipped
        Files that were left out, and why.
    seed
        Of the bootstrap.
    """

    protocol: dict[str, str]
    lines: tuple[Row, ...]
    skipped: tuple[dict[str, str], ...] = ()
    seed: int = 0
    software: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One table a subject, session and pipeline, plain values under stable keys."""
        return [dict(r.values) for r in self.lines]

    def _pipelines(self) -> dict[str, list[Row]]:
        out: dict[str, list[Row]] = {}
        for r in self.lines:
            out.setdefault(str(r["pipeline"]), []).append(r)
        return out

    def summary(self) -> list[dict[str, Any]]:
        """Return one line a pipeline: the mean over subjects, and the paired difference to each peer."""
        groups = self._pipelines()
        out = []
        for rows in groups.values():
            first, values = rows[0], _by_subject(rows)
            metric = str(first["metric"])
            mean = float(np.mean(list(values.values())))
            if len(values) >= FEW:
                low, high, how = of_mean(list(values.values()))
                low, high = max(low, LIMITS[metric][0]), min(high, LIMITS[metric][1])
            elif len(rows) == 1:
                low, high, how = first["low"], first["high"], first["interval"]
            else:
                low, high, how = of_mean_by_trials([r.outcome for r in rows], metric, self.seed)
            same = [r["streamed_equals_offline"] for r in rows if r["streamed_equals_offline"] is not None]
            line = {
                "pipeline": first["pipeline"], "pipeline_name": first["pipeline_name"], "peer": first["peer"],
                "n_subjects": len(values), "n_rows": len(rows), "n": sum(int(r["n"]) for r in rows), "metric": metric,
                "better": "lower" if metric in LOWER_IS_BETTER else "higher",
                "mean": mean, "low": low, "high": high, "interval": how,
                "seconds": round(sum(float(r["seconds"]) for r in rows), 3),
                "streamed_equals_offline": all(same) if same else None,
                "differences": [] if first["peer"] else [
                    self._difference(rows, others, metric) for others in groups.values() if _compared(first, others[0])
                ],
            }  # fmt: skip
            out.append(line)
        return out

    def _difference(self, ours: Sequence[Row], theirs: Sequence[Row], metric: str) -> dict[str, Any]:
        """Return ours minus a peer's, on the subjects and sessions that both have."""
        other = {_who(r): r for r in theirs}
        pairs = [(r, other[_who(r)]) for r in ours if _who(r) in other]
        name = theirs[0]["pipeline_name"]
        if not pairs:
            return {"peer": name, "mean": None, "low": None, "high": None, "interval": "no row in common"}
        a, b = _by_subject([p[0] for p in pairs]), _by_subject([p[1] for p in pairs])
        each = [a[s] - b[s] for s in a]
        comparable = all(
            np.array_equal(x.outcome.place, y.outcome.place) and np.array_equal(x.outcome.fold, y.outcome.fold)
            for x, y in pairs
        )
        if len(each) >= FEW:
            low, high, how = of_mean(each)
        elif comparable:
            first, second = [p[0].outcome for p in pairs], [p[1].outcome for p in pairs]
            low, high, how = of_difference(first, second, metric, self.seed)
        else:
            return {"peer": name, "mean": float(np.mean(each)), "low": None, "high": None,
                    "interval": "trials differ"}  # fmt: skip
        return {"peer": name, "mean": float(np.mean(each)), "low": low, "high": high, "interval": how}

    def as_dict(self) -> dict[str, Any]:
        """Return one document under stable keys, plain values that can be written as JSON."""
        return {
            "schema": SCHEMA, "protocol": self.protocol, "software": self.software, "rows": self.rows,
            "summary": self.summary(), "skipped": list(self.skipped),
        }  # fmt: skip


def _compared(ours: Row, other: Row) -> bool:
    """Say whether a row is of a peer that a pipeline is held against."""
    return bool(other["peer"]) and (not other["against"] or ours["pipeline_name"] in other["against"])


def _who(row: Row) -> tuple[str, str]:
    return str(row["subject"]), str(row["session"])


def _by_subject(rows: Sequence[Row]) -> dict[str, float]:
    """Return the mean score of each subject over its sessions."""
    out: dict[str, list[float]] = {}
    for r in rows:
        out.setdefault(str(r["subject"]), []).append(float(r["score"]))
    return {s: float(np.mean(v)) for s, v in out.items()}
