"""Receiver: the other end of `UDP`, which holds the dead-man: an example of what a device should do."""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isinf
from threading import Thread

from ranvier.act._actuator import Actuator
from ranvier.act._dead_man import DeadMan, need_silence
from ranvier.act._guard import Guard
from ranvier.act._udp import host_and_port, opened
from ranvier.act._wire import STOP, Frame, contract_of, decode
from ranvier.errors import DeviceError, FormatError
from ranvier.stream import Device, HostClock

DRIFT = 200e-6  # by which two clocks may run apart: twice what a quartz does
LONGEST = 2048  # datagram that is looked at [bytes]


class Link:
    """What a receiver knows of its sender: whose commands it takes, and how late they are. No clock, no I/O.

    Parameters
    ----------
    names, units
        Of the values; a frame of others is refused.
    renew
        Called when another sender is taken, whose commands are numbered afresh.

    Notes
    -----
    The clocks of sender and receiver differ by an unknown amount. The least difference between arrival and sending so
    far, allowed to grow by 200 us a second, stands for the quickest way; what a frame took longer than that counts as
    part of its age. What delays the first frame and all later ones alike cannot be seen.
    """

    def __init__(self, names: tuple[str, ...], units: tuple[str, ...], renew: Callable[[], None]) -> None:
        self._names, self._units, self._renew = names, units, renew
        self._contract = contract_of(names, units)
        self._session: int | None = None
        self._past: deque[int] = deque(maxlen=256)
        self._quickest = self._heard = 0
        self.damaged = self.foreign = 0

    def feed(self, data: bytes, now: int, idle: bool) -> Frame | None:
        """Return what a datagram says, None where it is not for us; `idle`: another sender may take over."""
        try:
            frame = decode(data)
        except FormatError:
            self.damaged += 1
            return None
        ours = frame.kind == STOP or frame.contract == self._contract
        if frame.session != self._session:
            if not (idle and ours and frame.kind != STOP and frame.session not in self._past):
                self.foreign += 1
                return None
            if self._session is not None:
                self._past.append(self._session)
            self._session, self._quickest, self._heard = frame.session, now - frame.sent, now
            self._renew()
        elif not ours:
            self.foreign += 1
            return None
        self._quickest = min(self._quickest + int(DRIFT * (now - self._heard)), now - frame.sent)
        self._heard = now
        return frame

    @property
    def shift(self) -> int:
        """What to add to the sender's times to have ours, as if its frames took no time [ns]."""
        return self._quickest


@dataclass(eq=False)
class Receiver(Device):
    """Receive commands as datagrams and hold the dead-man before an actuator.

    Parameters
    ----------
    at
        ``HOST:PORT`` to listen at; port 0 for any that is free, see `where`.
    actuator
        What acts.
    names, units
        Of the values; datagrams with others are refused.
    silence
        Time without a good command after which the actuator is brought to its safe state [s].
    latch
        Whether it then stays safe until this is stopped and started again.
    guard
        What else is refused: limits of the device, for example.

    Attributes
    ----------
    error
        What ended its thread before it was stopped; the actuator is safe then.

    Notes
    -----
    Refused are damaged datagrams, those of other values, those of a second sender until silence has ended the first,
    and, by the guard, those that are doubled, out of order, or later than their lifetime (see `Link`). A datagram of
    kind stop reaches the safe state at once; the next good command leaves it. Nothing here proves who the sender is.
    """

    at: str
    actuator: Actuator
    names: tuple[str, ...]
    units: tuple[str, ...]
    silence: float = 0.5
    latch: bool = False
    guard: Guard = field(default_factory=Guard)
    error: Exception | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        host_and_port("Receiver", self.at)
        need_silence(self, self.silence)
        self._socket: socket.socket | None = None
        self._thread: Thread | None = None
        self._dead_man: DeadMan | None = None

    @property
    def where(self) -> str:
        """Return ``HOST:PORT`` as it became."""
        if self._socket is None:
            return self.at
        host, port, *_ = self._socket.getsockname()
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def counts(self) -> dict[str, int]:
        """What happened since it was started."""
        if self._dead_man is None:
            return {}
        return {"damaged": self._link.damaged, "foreign": self._link.foreign, **self._dead_man.counts()}

    def _open(self) -> None:
        self._socket, address = opened("Receiver", self.at)
        try:
            self._socket.bind(address)
        except OSError as e:
            raise DeviceError(f"Receiver cannot listen at {self.at}: {e}. Choose a free port of this host.") from e
        self._socket.setblocking(False)
        self.actuator.open()

    def _start(self) -> None:
        dead_man = DeadMan(self.actuator, self.silence, self.latch, self.guard.within(()), self._clock)
        self._dead_man, self._link = dead_man, Link(self.names, self.units, lambda: self._renew(dead_man))
        self.error, self._ends = None, os.pipe()
        self._thread = Thread(target=self._work, args=(dead_man, self._clock), daemon=True)
        self._thread.start()

    def _renew(self, dead_man: DeadMan) -> None:
        latched = dead_man.guard.stopped
        dead_man.guard = self.guard.within(())
        if latched:
            dead_man.guard.stop()

    def _work(self, dead_man: DeadMan, clock: HostClock) -> None:
        try:
            while self._hear(dead_man, clock):
                dead_man.tick(clock())
        except Exception as e:
            self.error = e
        finally:
            dead_man.stop()

    def _hear(self, dead_man: DeadMan, clock: HostClock) -> bool:
        """Wait for a datagram, or until there is something to do; return whether to go on."""
        wait, end = dead_man.wait(clock()), self._ends[0]
        ready = select.select([self._socket, end], [], [], None if isinf(wait) else wait)[0]  # type: ignore[type-var]
        if end in ready or self._socket is None:
            return False
        if ready:
            try:
                data, now = self._socket.recv(LONGEST), clock()
            except BlockingIOError:  # its checksum was wrong
                return True
            dead_man.tick(now)
            frame = self._link.feed(data, now, dead_man.safe)
            if frame is not None and frame.kind == STOP:
                self.actuator.stop()
            elif frame is not None:
                dead_man.take(frame.command(self.names, self.units, shift=self._link.shift), now)
        return True

    def _stop(self) -> None:
        if self._thread is not None:
            os.write(self._ends[1], b"x")
            self._thread.join()
            self._thread = None
            for end in self._ends:
                os.close(end)

    def _close(self) -> None:
        self.actuator.close()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
