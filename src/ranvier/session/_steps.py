"""Steps that are all taken, whatever becomes of each: how things end."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def tried(steps: Sequence[Callable[[], object]]) -> list[Exception]:
    """Take all steps, whatever becomes of each; return what went wrong."""
    errors = []
    for step in steps:
        try:
            step()
        except Exception as e:
            errors.append(e)
    return errors


def noted(error: BaseException, step: Callable[[], object]) -> None:
    """Take a step after something has failed: what fails besides is added to that."""
    for e in tried([step]):
        error.add_note(f"Stopping the session failed, too: {type(e).__name__}: {e}")
