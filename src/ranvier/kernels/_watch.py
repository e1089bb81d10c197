"""What is compiled while something goes on: for progress, and to prove that nothing is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def compiling(tell: Callable[[str], None] = lambda _: None) -> Iterator[list[str]]:
    """Collect the names of kernels that are compiled meanwhile, each told as its compilation begins.

    What comes from the cache is not among them, nor are functions that become part of a kernel.
    """
    from numba.core import event

    names: list[str] = []

    class Ear(event.Listener):  # type: ignore[misc]
        depth = 0

        def on_start(self, event: Any) -> None:
            if not self.depth:
                function = event.data["dispatcher"].py_func
                names.append(f"{function.__module__.rpartition('.')[2][:12]}.{function.__name__}")
                tell(names[-1])
            self.depth += 1

        def on_end(self, event: Any) -> None:
            self.depth -= 1

    ear = Ear()
    event.register("numba:compile", ear)
    try:
        yield names
    finally:
        event.unregister("numba:compile", ear)
