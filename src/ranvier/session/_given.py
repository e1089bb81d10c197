"""What a session is given: refused before anything runs where it is of another kind, so that no loop stumbles on it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ranvier.acquire import MarkerSource, Source
from ranvier.act import Actuator, Guard
from ranvier.errors import ContractError
from ranvier.session._budget import Budget
from ranvier.session._host import Host


def named(given: Any, kind: type, what: str) -> dict[str, Any]:
    """Return devices by name, each of its kind; one alone is called ``signal``."""
    if isinstance(given, kind):
        return {"signal": given}
    try:
        found = dict(given)
    except (TypeError, ValueError):
        raise _wrong(f"{what}, or several by name", given) from None
    for name, one in found.items():
        if not (isinstance(name, str) and isinstance(one, kind)):
            raise _wrong(f"{what} with a text as its name", {name: one})
    return found


def need_kinds(session: Any) -> None:
    """Refuse what is not of the kind that it should be."""
    named(session.sources, Source, "a Source")
    named(session.markers, MarkerSource, "a MarkerSource")
    kinds: dict[str, Any] = {"actuator": Actuator, "guard": Guard, "budget": Budget, "host": Host}
    for name, kind in kinds.items():
        value = getattr(session, name)
        if value is not None and not isinstance(value, kind):
            raise _wrong(f"{name} to be of act.{name.title()}" if name in ("actuator", "guard") else
                         f"{name} to be of session.{name.title()}", value)  # fmt: skip
    if not all(isinstance(label, str) for label in session.labels):
        raise _wrong("labels that are texts", session.labels)
    if session.look is not None and not callable(session.look):
        raise _wrong("look to be a function", session.look)
    try:
        json.dumps(session.head, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as e:
        raise ContractError(f"Session needs a head of plain values, such as texts; got {e}. Mend it.") from None


def need_length(minutes: float, seconds: float, samples: int) -> None:
    """Refuse a length of a run that is none."""
    for length in (minutes, seconds):
        if not (_is(length, int | float) and 0 <= length < 1e9):
            raise _wrong("a length from 0 to 1e9 s or min", length)
    if not (_is(samples, int) and samples >= 0):
        raise _wrong("a whole number of samples, 0 for any", samples)


def need_one(name: str, known: Iterable[str]) -> None:
    """Refuse the name of a source that is not there."""
    if name not in known:
        raise _wrong(f"the name of one of its sources ({', '.join(known)})", name)


def _is(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _wrong(needed: str, got: Any) -> ContractError:
    return ContractError(f"Session needs {needed}; got {ascii(got)[:80]} ({type(got).__name__}). Mend it.")
