"""Together: one thread waits for whichever of several rings has something first."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ranvier.session._reader import Reader
from ranvier.session._wake import Waiter


class Together:
    """Waits for several readers; for one alone it is the wait of that reader.

    Parameters
    ----------
    readers
        All used by one thread.
    """

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = tuple(readers)
        self._waiter = Waiter(*[fd for r in self._readers for fd in r.filenos()])

    def wait(self, timeout: float, spin: float = 0.0) -> bool:
        """Wait until one has something to read, at most `timeout` [s]; `spin` as for `Reader.wait`, of one alone."""
        if len(self._readers) == 1:
            return self._readers[0].wait(timeout, spin)
        deadline = time.monotonic() + timeout
        while not any(r.ready for r in self._readers):
            left = deadline - time.monotonic()
            ready = self._waiter(left) if left > 0 else []
            if not ready or all(r.closed for r in self._readers):
                return any(r.ready for r in self._readers)
            for r in self._readers:
                r.woken(ready)
        return True
