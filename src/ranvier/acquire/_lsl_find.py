"""Finding an LSL stream: by what it says of itself, or at a plain address where discovery does not reach."""

from __future__ import annotations

import ctypes
import re
import socket
import time
from typing import Any

from ranvier.errors import ConfigError, DeviceError, MissingExtraError

PORTS = range(16572, 16604)  # in which outlets listen, unless a configuration says otherwise
_LONGEST = 1 << 20  # bytes of a description


def need_pylsl(who: str) -> Any:
    """Return the module pylsl."""
    try:
        import pylsl
    except (ImportError, RuntimeError, OSError) as e:  # RuntimeError and OSError: liblsl itself is missing
        raise MissingExtraError(who, "pylsl", "acquire") from e
    return pylsl


def predicate(name: str, kind: str, source_id: str) -> str:
    """Return the XPath condition for what a stream says of itself.

    >>> predicate("EEG", "", "")
    "name='EEG'"
    """
    parts = []
    for key, value in (("name", name), ("type", kind), ("source_id", source_id)):
        if "'" in value:
            raise ConfigError(f"LSL needs {key} without an apostrophe; got {value!r}. Use another of its properties.")
        if value:
            parts.append(f"{key}='{value}'")
    return " and ".join(parts) or "channel_count>0"


def discover(pylsl: Any, wanted: str, timeout: float) -> list[Any]:
    """Return the streams that answer within `timeout` [s], by multicast and broadcast as liblsl is configured."""
    return list(pylsl.resolve_bypred(wanted, 1, timeout))


def at_address(pylsl: Any, address: str, wanted: str, timeout: float) -> list[Any]:
    """Return the streams at ``HOST`` or ``HOST:PORT``, without discovery: each is asked over TCP for its description.

    Every outlet answers ``LSL:shortinfo`` on the port through which its data flows; without a port those that outlets
    take by default are tried. Only TCP to that host needs to be open.
    """
    host, colon, port = address.rpartition(":") if not address.endswith("]") else (address, "", "")
    if not colon:
        host, port = address, ""
    if port and not port.isdecimal():
        raise ConfigError(f"LSL needs an address HOST or HOST:PORT; got {address!r}. Mend it.")
    host = host.strip("[]")
    until = time.monotonic() + timeout
    found: dict[str, Any] = {}
    for number in [int(port)] if port else PORTS:
        left = until - time.monotonic()
        if left <= 0:
            break
        description = _ask(host, number, wanted, min(left, timeout))
        uid = re.search(r"<uid>([^<]+)</uid>", description)
        if uid and uid[1] not in found:
            found[uid[1]] = _info(pylsl, description, host)
    return list(found.values())


def _ask(host: str, port: int, wanted: str, timeout: float) -> str:
    try:
        with socket.create_connection((host, port), timeout) as s:
            s.settimeout(timeout)
            s.sendall(f"LSL:shortinfo\r\n{wanted}\r\n".encode())
            data = b""
            while len(data) < _LONGEST and (part := s.recv(4096)):
                data += part
    except OSError:
        return ""
    return data.decode("utf-8", "replace")


def _info(pylsl: Any, description: str, host: str) -> Any:
    """Make of a description what liblsl would have made of it: the address is where it came from."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    key = "v6address" if found[0] == socket.AF_INET6 else "v4address"
    filled = re.sub(rf"<{key}>[^<]*</{key}>|<{key} />", f"<{key}>{found[4][0]}</{key}>", description, count=1)
    make = pylsl.lib.lib.lsl_streaminfo_from_xml
    make.restype, make.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    handle = make(filled.encode())
    if not handle:
        raise DeviceError(f"LSL needs a description that it can read from {host}; got {description[:80]!r}.")
    return pylsl.StreamInfo(handle=handle)
