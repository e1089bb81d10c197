"""check_stage: the conformance suite, for our stages and for everybody's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ranvier.errors import RanvierError
from ranvier.stage import Stage
from ranvier.stream import Info
from ranvier.testing import _checks_meaning as meaning
from ranvier.testing import _checks_state as state
from ranvier.testing import _checks_stream as stream
from ranvier.testing._compare import ConformanceError

CHECKS: dict[str, Callable[[Stage, tuple[Info, ...]], None]] = {
    "contract": stream.check_contract,
    "block_invariance": stream.check_block_invariance,
    "width": state.check_width,
    "fused": state.check_fused,
    "causal_and_prompt": stream.check_causal_and_prompt,
    "empty_block": stream.check_empty_block,
    "input_untouched": stream.check_input_untouched,
    "invalid_never_read": state.check_invalid_never_read,
    "settle": state.check_settle,
    "segment": stream.check_segment,
    "state_round_trip": state.check_state_round_trip,
    "runs_independent": state.check_runs_independent,
    "lent_memory": state.check_lent_memory,
    "delay": meaning.check_delay,
    "one_signature": state.check_one_signature,
    "serialises": state.check_serialises,
    "linear": meaning.check_linear,
    "channel_order": meaning.check_channel_order,
    "bounded": state.check_bounded,
    "quiet": stream.check_quiet,
    "errors": meaning.check_errors,
}


@dataclass(frozen=True)
class Result:
    """What one check said: ``passed``, ``failed`` or ``exempt``, and why."""

    check: str
    status: str
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """What all checks said about one stage."""

    stage: str
    id: str
    results: list[Result] = field(default_factory=list)

    @property
    def failures(self) -> list[Result]:
        return [r for r in self.results if r.status == "failed"]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with stable keys."""
        counts = {s: sum(r.status == s for r in self.results) for s in ("passed", "failed", "exempt")}
        return {"stage": self.stage, "id": self.id, **counts, "results": [asdict(r) for r in self.results]}


def report_stage(stage: Stage, *infos: Info, only: Sequence[str] | None = None) -> Report:
    """Run the conformance checks and return what each said.

    Parameters
    ----------
    stage
        A stage, chain, parallel or graph.
    *infos
        What flows into its ports.
    only
        Names of the checks to run; all unless given. `CHECKS` lists them.
    """
    report = Report(type(stage).__name__, stage.id)
    for name in only or CHECKS:
        reason = stage.exempt.get(name)
        if reason:
            report.results.append(Result(name, "exempt", reason))
            continue
        try:
            CHECKS[name](stage, tuple(infos))
        except ConformanceError as e:
            report.results.append(Result(name, "failed", str(e)))
        except (
            RanvierError,
            ValueError,
            TypeError,
            IndexError,
            KeyError,
            ArithmeticError,
            AttributeError,
            Warning,
        ) as e:
            report.results.append(Result(name, "failed", f"raised {type(e).__name__}: {e}"))
        else:
            report.results.append(Result(name, "passed"))
    return report


def check_stage(stage: Stage, *infos: Info, only: Sequence[str] | None = None) -> None:
    """Raise `ConformanceError` unless the stage passes every check that applies to it."""
    report = report_stage(stage, *infos, only=only)
    if report.failures:
        lines = [f"{r.check}: {r.detail}" for r in report.failures]
        raise ConformanceError(f"{report.stage} fails {len(lines)} check(s)\n  " + "\n  ".join(lines))


def parametrize_with_checks(cases: Sequence[tuple[Any, ...]]) -> Any:
    """Return a pytest decorator that runs every check on every ``(stage, *infos)`` as a test of its own."""
    import pytest

    params = [
        pytest.param(stage, infos, check, id=f"{type(stage).__name__}-{i}-{check}")
        for i, (stage, *infos) in enumerate(cases)
        for check in CHECKS
    ]
    return pytest.mark.parametrize(("stage", "infos", "check"), params)
