"""ranvier serve: a recording or a source as a device would serve it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ranvier.cli._files import PartialOption, StreamOption, open_recording
from ranvier.cli._output import Json, aside, emit, line
from ranvier.errors import ConfigError


def serve(
    protocol: Annotated[
        str, typer.Argument(help="cyton, lsl ...; with ?key=value of its server, such as cyton?daisy=true.")
    ],
    file: Annotated[str, typer.Argument(help="A recording, or a source such as brainflow:synthetic.")],
    for_: Annotated[str | None, typer.Option("--for", help="How long (60s, 5min); until stopped unless given.")] = None,
    speed: Annotated[float, typer.Option(min=0.01, max=100.0, help="Recorded seconds a second.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end of the recording.")] = False,
    stream: StreamOption = None,
    partial: PartialOption = False,
    json: Json = False,
) -> None:
    """Serve a recording in real time over a device's own protocol, on this machine alone."""
    import time

    seconds = parse_time(for_) if for_ is not None else None
    server = make_server(protocol, open_feed(file, stream, partial), speed, loop)
    began = time.monotonic()
    stopped = False
    with server:
        if not json:
            aside().print(line(("serving ", "dim"), (server.protocol, "bold"), f" at {server.where}   ",
                               (f"ranvier record {server.source_text} OUT.rvr", "dim")))  # fmt: skip
        else:
            aside().print(line(f"serving {server.protocol} at {server.where}"))
        try:
            while not server.ended and (seconds is None or time.monotonic() - began < seconds):
                server.wait(0.05)
            server.wait(0.2 if server.ended else 0)  # what is under way
        except KeyboardInterrupt:
            stopped = True
    if server.error is not None:
        raise server.error
    found = {
        "protocol": server.protocol, "where": server.where, "source": server.source_text, "file": file,
        "seconds": time.monotonic() - began, "samples": server.sent, "ended": server.ended, "stopped": stopped,
    }  # fmt: skip
    if json:
        emit("serve", found)
    else:
        aside().print(line(f"sent {server.sent} samples in {found['seconds']:.1f} s"))


def parse_time(text: str) -> float:
    """Return a length of time such as 60s, 90, 5min or 1h [s]."""
    for unit, scale in (("ms", 1e-3), ("min", 60.0), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)):
        if text.endswith(unit):
            try:
                seconds = float(text[: len(text) - len(unit)]) * scale
            except ValueError:
                break
            if 0 < seconds < 1e9:
                return seconds
            break
    raise ConfigError(f"--for needs a length of time above 0 such as 60s, 5min or 1h; got {text!r}. Mend it.")


def open_feed(text: str, stream: str | None = None, partial: bool = False) -> Any:
    """Return a recording, or the source that a text means."""
    from ranvier import acquire

    if not Path(text).exists() and text.split(":")[0] in acquire.schemes():
        return acquire.source(text, "FILE")
    return open_recording(Path(text), stream, partial)


def make_server(protocol: str, feed: Any, speed: float, loop: bool) -> Any:
    """Return the server that a text such as ``cyton?daisy=true`` means."""
    from dataclasses import fields

    from ranvier.errors import ContractError
    from ranvier.stage import options_of, split_text
    from ranvier.twin import servers

    name, rest = split_text(protocol)
    known = servers()
    if name not in known:
        raise ConfigError(f"PROTOCOL needs one of {', '.join(sorted(known))}; got {protocol!r}. Name one of them.")
    cls = known[name]
    own = [f.name for f in fields(cls) if f.init and f.name not in ("feed", "speed", "loop")]
    try:
        return cls(feed, speed=speed, loop=loop, **options_of(cls, rest.lstrip("?"), f"PROTOCOL {name}", own))
    except ContractError as e:
        raise ConfigError(str(e)) from e
