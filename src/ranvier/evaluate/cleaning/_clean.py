"""clean: the proposed pipeline, or a given one, over a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ranvier.evaluate.cleaning._cleaned import Cleaned, check, run_over
from ranvier.evaluate.cleaning._fit import fitted
from ranvier.evaluate.cleaning._panes import Advance
from ranvier.evaluate.cleaning._recommend import Recommendation
from ranvier.stage import Chain, Contract, Stage, dump_pipeline
from ranvier.stream import Recording


@dataclass(frozen=True, eq=False)
class Done:
    """What was run, as text and as a stage, and what it did.

    Parameters
    ----------
    cleaned
        What it did; `cleaned.pipeline` is what ran.
    toml
        What ran, before anything in it was learned.
    learned
        Whether something in it was learned: then a model file holds it.
    """

    cleaned: Cleaned
    toml: str
    learned: bool


def clean(recording: Recording, asked: Recommendation, given: Any, advance: Advance) -> Done:
    """Run a recording through the proposed pipeline, or through a given one, fitted on it where it can be."""
    if given is None:
        return Done(run_over(asked.pipeline, recording, advance), asked.toml(), asked.learned)
    if isinstance(given, Stage):
        check(given, recording)
    pipeline = fitted(given, recording, advance)
    learned = any(isinstance(getattr(s, "contract", None), Contract) for s in _stages(pipeline))
    return Done(run_over(pipeline, recording, advance), _written(given), learned)


def _stages(pipeline: Stage) -> tuple[Stage, ...]:
    return pipeline.stages if isinstance(pipeline, Chain) else (pipeline,)


def _written(given: Any) -> str:
    from ranvier.errors import ConfigError

    try:
        return dump_pipeline(given)
    except ConfigError:  # a model: its arrays do not fit into TOML
        return "# learned: the model file beside this one holds it\nschema = 1\n"
