"""Stage: a frozen value that transforms chunks; parameters only, its memory lives in a `State`."""

from __future__ import annotations

import abc
import hashlib
import inspect
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ranvier.errors import ContractError
from ranvier.stage._state import State
from ranvier.stream import EventInfo, Info, StreamInfo

if TYPE_CHECKING:
    from ranvier.stage._parallel import Parallel


@dataclass(frozen=True, slots=True)
class Port:
    """Where chunks go in or come out: a name, and whether they are blocks (signal) or events."""

    name: str
    kind: str


SIGNAL = Port("signal", "signal")
EVENTS = Port("events", "events")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """What the conformance checks may expect of a stage.

    Parameters
    ----------
    exactness
        ``portable``: the same bits on every CPU. ``exact``: the same bits for every cut, in one
        environment. ``bounded``: within `bound`.
    bound
        Largest relative difference where bounded.
    linear
        Superposition holds, and the declared delay can be measured.
    permutable
        Channels permuted in are channels permuted out.
    recursive
        The memory decays but never ends; `support` holds to 1e-6 of the peak.
    """

    exactness: str = "exact"
    bound: float = 0.0
    linear: bool = False
    permutable: bool = False
    recursive: bool = False


class Stage(abc.ABC):
    """What transforms: parameters in, nothing else; one or more input ports, one or more output ports.

    Subclasses are frozen dataclasses, declared ``@dataclass(frozen=True, eq=False)``: two stages are
    equal when their class and parameters are.
    """

    inputs: ClassVar[tuple[Port, ...]] = (SIGNAL,)
    outputs: ClassVar[tuple[Port, ...]] = (SIGNAL,)
    tags: ClassVar[Tags] = Tags()
    exempt: ClassVar[dict[str, str]] = {}  # conformance check -> reason why it does not apply

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("describe", "init", "process", "id"):
            if name in inspect.get_annotations(cls):
                raise ContractError(
                    f"{cls.__name__} needs another name for its parameter; got {name!r}, which a stage does."
                )

    @abc.abstractmethod
    def describe(self, *infos: Info) -> Any:
        """Return what comes out, given what goes in, without data; refuse what does not fit.

        One info for one output port, a tuple for several.
        """

    @abc.abstractmethod
    def init(self, *infos: Info) -> State:
        """Allocate and design everything; nothing is allocated or compiled later."""

    def allocate(self, *infos: Info) -> State:
        """Return the state without what is compiled, for a plan that may run it together with others."""
        return self.init(*infos)

    def bind(self, state: State, *infos: Info) -> None:  # noqa: B027
        """Compile what runs a state that `allocate` returned; nothing where `init` has done it."""

    @abc.abstractmethod
    def process(self, state: State, *chunks: Any) -> Any:
        """Transform chunks, changing `state` in place: no I/O, no clock, no lock.

        What is returned may live in memory that the next call reuses.
        """

    def __or__(self, other: Any) -> Any:
        from ranvier.stage._chain import chain
        from ranvier.stage._trainable import Trainable, recipe

        if isinstance(other, Trainable):
            return recipe(self, other)
        return chain(self, other) if isinstance(other, Stage) else NotImplemented

    def __and__(self, other: Stage) -> Parallel:
        from ranvier.stage._parallel import parallel

        return parallel(self, other)

    @property
    def id(self) -> str:
        """Hash of the class and its parameters: written into recordings and decisions."""
        digest = hashlib.sha256()
        _feed(digest, self)
        return digest.hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Stage) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)


def _feed(digest: Any, value: Any) -> None:
    """Add a parameter to a hash, in a form that does not depend on how it was written."""
    if hasattr(value, "__dataclass_fields__"):
        digest.update(f"<{type(value).__name__}".encode())
        for f in fields(value):
            digest.update(f.name.encode())
            _feed(digest, getattr(value, f.name))
        digest.update(b">")
    elif isinstance(value, np.ndarray):
        digest.update(f"[{value.dtype.str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).data)
    elif isinstance(value, list | tuple):
        digest.update(b"(")
        for v in value:
            _feed(digest, v)
            digest.update(b",")
    elif isinstance(value, dict):
        _feed(digest, sorted(value.items()))
    else:
        plain = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        digest.update(json.dumps(plain, default=str).encode())


def need_signal(who: Any, info: Info, *, events_ok: bool = False) -> StreamInfo:
    """Refuse, in the name of `who`, anything but a plain multichannel signal."""
    name = who if isinstance(who, str) else type(who).__name__
    if isinstance(info, EventInfo):
        raise ContractError(f"{name} needs a signal; got events {info.name!r}. Feed it a stream of samples.")
    if not info.is_signal:
        raise ContractError(
            f"{name} needs a signal of shape (n_channels,); got samples of shape {info.shape}. "
            f"Put {name} before the stage that makes windows or matrices."
        )
    if not info.rate and not events_ok:
        raise ContractError(f"{name} needs a constant rate; got one sample an event. Put {name} before Epoch.")
    return info


def need_stream(who: Any, info: Info) -> StreamInfo:
    """Refuse events where samples of any shape are needed."""
    if isinstance(info, EventInfo):
        raise ContractError(
            f"{type(who).__name__} needs samples; got events {info.name!r}. Feed it a stream of samples."
        )
    return info


def need_events(who: Any, info: Info) -> EventInfo:
    """Refuse samples where events are needed."""
    if isinstance(info, StreamInfo):
        raise ContractError(
            f"{type(who).__name__} needs events; got the signal {info.name!r}. Connect an event stream."
        )
    return info


def as_tuple(x: Any) -> tuple[Any, ...]:
    """Return outputs of one or several ports as a tuple."""
    return x if isinstance(x, tuple) else (x,)
