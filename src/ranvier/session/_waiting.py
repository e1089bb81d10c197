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
        self._open = 0
        self._waiter: Waiter | None = None

    def wait(self, timeout: float, spin: float = 0.0) -> bool:
        """Wait until one has something to read, at most `timeout` [s]; `spin` as for `Reader.wait`, of one alone."""
        if len(self._readers) == 1:
            return self._readers[0].wait(timeout, spin)
        deadline = time.monotonic() + timeout
        while not any(r.ready for r in self._readers):
            left = deadline - time.monotonic()
            following = [r for r in self._readers if not r.closed]
            if following and len(following) != self._open:  # the bell of a writer that is no more rings for ever
                self._open = len(following)
                self._waiter = Waiter(*[fd for r in following for fd in r.filenos()])
            ready = self._waiter(left) if left > 0 and following and self._waiter else []
            if not ready:
                return any(r.ready for r in self._readers)
            for r in following:
                r.woken(ready)
        return True
