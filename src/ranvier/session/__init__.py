"""The house in motion: rings in which threads and processes meet, sessions, recorders, replay."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ranvier.session._reader import Reader
from ranvier.session._ring import Ring

if TYPE_CHECKING:
    from ranvier.session._budget import Budget
    from ranvier.session._build import load_session
    from ranvier.session._doctor import Finding, doctor
    from ranvier.session._host import Host
    from ranvier.session._replay import Replayed, Verdict, replay, shadow
    from ranvier.session._replay_source import Replay
    from ranvier.session._report import Report
    from ranvier.session._session import Session

__all__ = [
    "Budget", "Finding", "Host", "Reader", "Replay", "Replayed", "Report", "Ring", "Session", "Verdict", "doctor",
    "load_session", "replay", "shadow",
]  # fmt: skip

_LATER = {  # what needs the stages, which a process that only reads a ring does not
    "_budget": ("Budget",), "_build": ("load_session",), "_doctor": ("Finding", "doctor"), "_host": ("Host",),
    "_replay": ("Replayed", "Verdict", "replay", "shadow"), "_replay_source": ("Replay",), "_report": ("Report",),
    "_session": ("Session",),
}  # fmt: skip
_FILE = {name: file for file, names in _LATER.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _FILE:
        return getattr(import_module(f"ranvier.session.{_FILE[name]}"), name)
    raise AttributeError(f"module 'ranvier.session' has no attribute {name!r}")
