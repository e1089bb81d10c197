"""A way to hand a block from one thread or process to another: its two sides, and how these speak to each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from typing import Any, Protocol
from uuid import uuid4

import numpy.typing as npt

from ranvier.errors import RanvierError

Array = npt.NDArray[Any]
Receive = Callable[[], Array]  # the next block, within PATIENCE
PATIENCE = 10.0  # s until a message that does not come is a failure


class Carrier(Protocol):
    """The sending side; the ticket goes to the receiving side, where `receiver` opens with it what receives.

    Attributes
    ----------
    ticket
        What the other side needs: plain values between processes.
    """

    ticket: Any

    def __init__(self, shape: tuple[int, int], between: str) -> None: ...

    def send(self, block: Array) -> None: ...

    def close(self) -> None: ...

    @staticmethod
    def receiver(ticket: Any, shape: tuple[int, int]) -> AbstractContextManager[Receive]: ...


def tell(control: Connection, **said: Any) -> None:
    """Send plain values to the other side of a benchmark."""
    control.send_bytes(json.dumps(said).encode())


def ask(control: Connection, patience: float = 6 * PATIENCE) -> dict[str, Any]:
    """Return what the other side said, within so many seconds."""
    if not control.poll(patience):
        raise silent()
    said: dict[str, Any] = json.loads(control.recv_bytes())
    return said


def new_name() -> str:
    """Return a name that nothing else has."""
    return f"bench-{uuid4().hex[:12]}"


def silent() -> RanvierError:
    """Return what is raised where the other side says nothing."""
    return RanvierError(
        "bench needs both sides to be heard; one said nothing for a while. Run it on a machine that is less busy, "
        "or leave that peer out with --peers."
    )
