"""The house in motion: rings in which threads and processes meet, sessions, recorders, replay."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ranvier.session._reader import Reader
from ranvier.session._ring import Ring

if TYPE_CHECKING:
    from ranvier.session._budget import Budget
    from ranvier.session._host import Host
    from ranvier.session._replay import Replayed, Verdict, replay, shadow
    from ranvier.session._replay_source import Replay
    from ranvier.session._report import Report
    from ranvier.session._session import Session

__all__ = ["Budget", "Host", "Reader", "Replay", "Replayed", "Report", "Ring", "Session", "Verdict", "replay", "shadow"]

_LATER = {  # what needs the stages, which a process that only reads a ring does not
    "Budget": "_budget", "Host": "_host", "Replay": "_replay_source", "Replayed": "_replay", "Report": "_report", "Session": "_session", "Verdict": "_replay", "replay": "_replay", "shadow": "_replay",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"ranvier.session.{_LATER[name]}"), name)
    raise AttributeError(f"module 'ranvier.session' has no attribute {name!r}")
