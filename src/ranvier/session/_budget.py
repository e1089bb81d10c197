"""Budget: how old the input of an action may be, and what happens when it is older."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ranvier.errors import ContractError

Miss = Literal["warn", "skip", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a session promises about time.

    Parameters
    ----------
    age
        Largest age of the newest input at the moment of an action [s].
    miss
        What happens to an action whose input is older: ``warn`` (it is taken, and counted), ``skip`` (it is not taken)
        or ``stop`` (the session stops, which brings the actuator into its safe state).
    """

    age: float
    miss: Miss = "skip"

    def __post_init__(self) -> None:
        if not 0 < self.age < float("inf"):
            raise ContractError(
                f"Budget needs age > 0 s; got {self.age!r} s. Say how old the input of an action may be."
            )
        if self.miss not in get_args(Miss):
            raise ContractError(f"Budget needs miss to be warn, skip or stop; got {self.miss!r}. Choose one.")
