"""Command, Approved, Refused: what is wanted, what a guard lets through, and what it does not."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan
from typing import Any, Final, NoReturn, final

from ranvier.errors import ContractError, SafetyError
from ranvier.stream import Array, StreamInfo

CONFIDENCE: Final = "confidence"  # the channel in which a map says how sure a decision is
SEAL: Final = object()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is wanted of the world, and how old the data is that it comes from.

    Parameters
    ----------
    values, names, units
        The numbers, what each is called, and its unit.
    sample
        Index of the newest source sample that it depends on.
    age
        Age of that sample when the command was made [s].
    confidence
        How sure the decision is; nan where nothing says.
    graph, model
        Ids of the graph and of the model that decided.
    made, expires
        Host time at which it was made, and from which on it must not be carried out [ns].
    sequence
        Number of the command; it only grows.
    """

    values: tuple[float, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    sample: int
    age: float
    confidence: float = nan
    graph: str = ""
    model: str = ""
    made: int
    expires: int
    sequence: int


@final
class Approved:
    """A command that a guard let through; only a guard makes one.

    Notes
    -----
    Calling the class, subclassing, copying, pickling and changing it are refused. Python cannot hide anything from code
    in the same process that sets out to forge one (``object.__setattr__``); against that stands the process boundary:
    the process that owns the actuator has a guard of its own (`Watchdog`, `Receiver`).

    Attributes
    ----------
    command
        What was wanted.
    given
        The values to carry out: those wanted, or clamped ones.
    at
        Host time at which it was approved [ns].
    """

    __slots__ = ("_seal", "at", "command", "given")
    command: Command
    given: tuple[float, ...]
    at: int
    _seal: object

    def __new__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise SafetyError("Approved needs a guard to make it; it was called by hand. Ask Guard.approve.")

    def __init_subclass__(cls, **kwargs: Any) -> NoReturn:
        raise SafetyError("Approved has no subclasses. Let a guard make it.")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise SafetyError(f"Approved cannot be changed; {name} was set. Ask the guard for a new command.")

    def __delattr__(self, name: str) -> NoReturn:
        raise SafetyError(f"Approved cannot be changed; {name} was deleted. Ask the guard for a new command.")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise SafetyError("Approved cannot be copied or pickled. Send it once, where it was approved.")

    @property
    def clamped(self) -> bool:
        """Whether something else is given than was wanted."""
        return self.given != self.command.values

    def __repr__(self) -> str:
        return f"Approved({self.command!r}, given={self.given}, at={self.at})"


_set_command, _set_given, _set_at, _set_seal = (
    vars(Approved)[name].__set__ for name in ("command", "given", "at", "_seal")
)


def _approve(command: Command, given: tuple[float, ...], at: int) -> Approved:
    """Make an approved command; for guards alone."""
    approved: Approved = object.__new__(Approved)  # type: ignore[arg-type]
    _set_command(approved, command)
    _set_given(approved, given)
    _set_at(approved, at)
    _set_seal(approved, SEAL)
    return approved


def need_approved(who: Any, thing: Any) -> None:
    """Refuse anything but what a guard approved."""
    if type(thing) is not Approved or getattr(thing, "_seal", None) is not SEAL:
        raise SafetyError(
            f"{type(who).__name__}.send needs an Approved command; got {type(thing).__name__}. Pass it through a Guard."
        )


@final
@dataclass(frozen=True, slots=True)
class Refused:
    """A command that a guard did not let through, and why.

    Parameters
    ----------
    command
        What was wanted.
    reason
        One of `REASONS`.
    at
        Host time [ns].
    name
        Which value, where it is one value's fault.
    got, limit
        The figure that was refused, and what it was measured against.
    unit
        Of both.
    """

    command: Command
    reason: str
    at: int
    name: str = ""
    got: float = nan
    limit: float = nan
    unit: str = ""

    def __str__(self) -> str:
        what = f" of {self.name}" if self.name else ""
        known = self.got == self.got or self.limit == self.limit
        unit = f" {self.unit}" if self.unit else ""
        figures = f"; got {self.got:.6g}{unit}, limit {self.limit:.6g}{unit}" if known else ""
        return f"Command {self.command.sequence} refused: {REASONS[self.reason]}{what}{figures}."


REASONS: Final = {
    "stopped": "the guard is stopped",
    "shape": "not one value a name and unit",
    "unit": "the value that is limited is missing or has another unit",
    "nan": "not a finite float",
    "sequence": "its number is not above the last one",
    "clock": "host time went back",
    "expired": "it has expired",
    "age": "its data is too old",
    "confidence": "not confident enough",
    "range": "out of range",
    "rate": "changes too fast",
}


def note(what: Approved | Refused | Command) -> dict[str, Any]:
    """Return what a guard said as a table for a recording, which fits into JSON: wanted and given, or the reason.

    Of a command that no guard was asked about: what was wanted. A number that is not finite is written as text,
    ``"nan"`` or ``"inf"``; an unknown confidence is None.
    """
    c = what if isinstance(what, Command) else what.command
    at = c.made if isinstance(what, Command) else what.at
    out: dict[str, Any] = {
        "at": at, "sequence": c.sequence, "names": list(c.names), "units": list(c.units),
        "wanted": [_number(v) for v in c.values], "sample": c.sample, "age": _number(c.age),
        "confidence": c.confidence if isfinite(c.confidence) else None, "made": c.made, "expires": c.expires,
        "graph": c.graph, "model": c.model,
    }  # fmt: skip
    if isinstance(what, Refused):
        figures = {"got": _number(what.got), "limit": _number(what.limit)}
        return {**out, "refused": what.reason, "name": what.name, **figures}
    return out if isinstance(what, Command) else {**out, "given": list(what.given)}


def _number(v: Any) -> float | str:
    return v if isinstance(v, float) and isfinite(v) else str(v)


class Commands:
    """Makes commands of the rows that a graph puts out; counts them.

    Parameters
    ----------
    info
        What comes out of the graph: one channel a value. A channel ``confidence`` of that kind, as `Map` makes it,
        becomes the command's.
    lifetime
        Time after which a command must not be carried out any more [s].
    graph, model
        Their ids.
    """

    def __init__(self, info: StreamInfo, *, lifetime: float, graph: str = "", model: str = "") -> None:
        if not info.is_signal:
            raise ContractError(f"Commands need one number a value; got samples of shape {info.shape}. End with Map.")
        if not 0 < lifetime < 1e9:
            raise ContractError(f"Commands need lifetime > 0 s; got {lifetime:g} s. Take 0.2.")
        c = info.channels
        self._sure = next((i for i, k in enumerate(c.kinds) if k == CONFIDENCE), None)
        keep = [i for i in range(len(c)) if i != self._sure]
        self.channels = c.take(keep)
        self._names, self._units = self.channels.names, self.channels.units
        self._lifetime = round(lifetime * 1e9)
        self._graph, self._model = graph, model
        self.made = 0

    def of(self, row: Array, valid: Array, *, sample: int, age: float, made: int) -> Command | None:
        """Return the command of one row; None where one of its values is invalid.

        Parameters
        ----------
        row, valid
            ``(n_channels,)``: numbers and mask.
        sample, age, made
            See `Command`.
        """
        values, good, sure = row.tolist(), valid.tolist(), nan
        if self._sure is not None:
            value = values.pop(self._sure)
            sure = value if good.pop(self._sure) else nan
        if not all(good):
            return None
        self.made += 1
        return Command(
            values=tuple(values), names=self._names, units=self._units, sample=sample, age=age, confidence=sure,
            graph=self._graph, model=self._model, made=made, expires=made + self._lifetime, sequence=self.made,
        )  # fmt: skip
