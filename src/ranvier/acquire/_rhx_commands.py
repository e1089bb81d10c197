"""Remote: the command port of Intan RHX; which words its waveform port sends."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from typing import Literal

from ranvier.errors import DeviceError

WHOLE = {"true", "false", "stop", "run", "record", "trigger"}  # answers of which more cannot come
QUIET = 0.02  # [s] after which any other answer is taken to be whole: answers have no end mark
MOST = 4096  # bytes that an answer may have
ANSWER = re.compile(r"Return:\s*\S+\s+(.*)", re.DOTALL)
RANGE = re.compile(r"([A-H])-(\d{3})\.\.([A-H])-(\d{3})")
BANDS = {"wide": "", "low": "low", "high": "high"}  # in the order in which they are sent
PORTS = "ABCDEFGH"
CHIP = 16  # channels that the smallest amplifier chip has


@dataclass(frozen=True)
class Word:
    """One word of a frame: what it is called, where it comes from, how large one step of it is.

    Parameters
    ----------
    name
        Native name, such as ``A-000``; low and high band as ``A-000|LOW``.
    parameter
        What switches it on.
    what
        Which kind of input it is.
    gain
        One step [uV]; 1 for the word of the digital inputs.
    """

    name: str
    parameter: str
    what: Literal["amplifier", "aux", "analog", "digital"]
    gain: float


class Remote:
    """The command port of Intan RHX: ``get`` is answered, ``set`` and ``execute`` only where they are refused.

    Parameters
    ----------
    host, port
        Where RHX listens.
    timeout
        For connecting, and for each answer [s].
    """

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self.where, self.timeout = f"{host}:{port}", timeout
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except OSError as e:
            raise DeviceError(
                f"IntanRHX needs the command port of Intan RHX at {self.where}; got no connection ({e}). Look at "
                "Network, Remote TCP Control in RHX: press Connect there, and check the address."
            ) from e
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Leave it."""
        self._socket.close()

    def tell(self, command: str) -> None:
        """Send a ``set`` or ``execute``."""
        try:
            self._socket.settimeout(self.timeout)
            self._socket.sendall(f"{command};".encode())
        except OSError as e:
            raise DeviceError(
                f"IntanRHX lost the command port at {self.where} ({e}). Look at RHX and the cable."
            ) from e

    def ask(self, parameter: str) -> str:
        """Return the value of `parameter`; raise DeviceError where RHX refuses it."""
        self._drain()
        self.tell(f"get {parameter}")
        text, end = "", time.monotonic() + self.timeout
        try:
            while (left := end - time.monotonic()) > 0 and len(text) < MOST:
                answer = ANSWER.search(text)
                if answer and answer[1].strip().lower() in WHOLE:
                    break
                self._socket.settimeout(min(left, QUIET) if text else left)
                try:
                    came = self._socket.recv(MOST)
                except TimeoutError:
                    break
                if not came:
                    raise ConnectionError("closed by RHX")
                text += came.decode("ascii", "replace")
        except OSError as e:
            raise DeviceError(
                f"IntanRHX lost the command port at {self.where} ({e}). Look at RHX and the cable."
            ) from e
        answer = ANSWER.search(text)
        if answer is None:
            said = f"{text.strip()[:200]!r}" if text else f"no answer within {self.timeout:g} s"
            raise DeviceError(f"IntanRHX needs {parameter} from RHX at {self.where}; got {said}. Look at RHX's window.")
        return answer[1].strip()

    def has(self, parameter: str) -> bool | None:
        """Return whether a switch is on; None where RHX does not know it."""
        try:
            return self.ask(parameter).lower() == "true"
        except DeviceError as e:
            if isinstance(e.__cause__, OSError):
                raise
            return None

    def put(self, parameter: str, value: str) -> None:
        """Set a parameter and see that it took."""
        self.tell(f"set {parameter} {value}")
        got = self.ask(parameter)
        if got.lower() != value.lower():
            raise DeviceError(f"IntanRHX needs {parameter} = {value}; RHX at {self.where} keeps {got}. Set it in RHX.")

    def _drain(self) -> None:
        """Throw away what was said unasked."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(MOST):
                pass
        except BlockingIOError:
            pass
        except OSError as e:
            raise DeviceError(
                f"IntanRHX lost the command port at {self.where} ({e}). Look at RHX and the cable."
            ) from e


def amplifier(name: str, band: str) -> Word:
    """Return the word of one band of an amplifier."""
    label = name if band == "wide" else f"{name}|{band.upper()}"
    return Word(label, f"{name.lower()}.tcpdataoutputenabled{BANDS[band]}", "amplifier", 0.195)


def others(controller: str, port: str) -> list[Word]:
    """Return the inputs that are no amplifiers, in the order in which they are sent."""
    old = controller == "ControllerRecordUSB2"  # the USB interface board counts from 0 and has another scale
    aux = [f"{port}-AUX{i}" for i in (1, 2, 3)] if port and "Stim" not in controller else []
    analog = [f"ANALOG-IN-{i:02d}" if old else f"ANALOG-IN-{i + 1}" for i in range(8)]
    digital = [f"DIGITAL-IN-{i + (not old):02d}" for i in range(16)]
    return (
        [Word(name, f"{name.lower()}.tcpdataoutputenabled", "aux", 37.4) for name in aux]
        + [Word(name, f"{name.lower()}.tcpdataoutputenabled", "analog", 50.354 if old else 312.5) for name in analog]
        + [Word(name, f"{name.lower()}.tcpdataoutputenabled", "digital", 1.0) for name in digital]
    )


def wanted(channels: str, bands: str, controller: str) -> list[Word]:
    """Return the words for ``A-000..A-031,ANALOG-IN-1,DIGITAL-IN-01`` in the order in which they are sent.

    >>> [w.name for w in wanted("a-001,A-000", "wide,high", "ControllerRecordUSB3")]
    ['A-000', 'A-000|HIGH', 'A-001', 'A-001|HIGH']
    """
    names: set[str] = set()
    for item in channels.upper().replace(" ", "").split(","):
        span = RANGE.fullmatch(item)
        if span and span[1] == span[3]:
            names.update(f"{span[1]}-{i:03d}" for i in range(int(span[2]), int(span[4]) + 1))
        else:
            names.add(item)
    chosen = bands.lower().replace(" ", "").split(",")
    odd = next((b for b in chosen if b not in BANDS), None)
    if odd is not None:
        raise DeviceError(f"IntanRHX needs bands out of {', '.join(BANDS)}; got {odd!r}. Write 'wide' or 'wide,high'.")
    out = [
        amplifier(name, band)
        for name in sorted(names)
        if re.fullmatch(r"[A-H]-\d{3}", name)
        for band in BANDS
        if band in chosen
    ]
    rest = {w.name: w for port in PORTS for w in others(controller, port)}
    out += [w for name, w in rest.items() if name in names]
    strange = names - {w.name.partition("|")[0] for w in out}
    if strange:
        raise DeviceError(
            f"IntanRHX needs channels such as A-000, A-000..A-031, A-AUX1, ANALOG-IN-1, DIGITAL-IN-01; got "
            f"{', '.join(sorted(strange))} for a {controller}. Mend the names, or leave them out to take "
            "what is on in RHX."
        )
    return out


def enabled(remote: Remote, controller: str) -> list[Word]:
    """Return the words that RHX is set to send, by asking for each."""
    out: list[Word] = []
    for port in PORTS:
        for chip in range(0, 128, CHIP):
            if remote.has(amplifier(f"{port}-{chip:03d}", "wide").parameter) is None:
                if chip:
                    continue
                break  # a port without a first channel has none
            for i in range(chip, chip + CHIP):
                out += [w for band in BANDS if remote.has((w := amplifier(f"{port}-{i:03d}", band)).parameter)]
    ports = sorted({w.name[0] for w in out})
    rest = others(controller, "") if not ports else [w for port in ports for w in others(controller, port)]
    return out + [w for w in {w.name: w for w in rest}.values() if remote.has(w.parameter)]
