"""What becomes of errors: one message on standard error and an exit code, never a traceback."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from traceback import extract_tb
from typing import Any

import typer

from ranvier.cli._app import app
from ranvier.errors import RanvierError

# UsageError and ClickException, wherever this version of typer keeps them
_UsageError: Any = typer.BadParameter.__mro__[1]
_ClickException: Any = typer.BadParameter.__mro__[2]


STOPPED = 130  # Ctrl-C; 143 for SIGTERM, 129 for a terminal that was closed
MOST = 1500  # characters of a message: what was given is repeated in it, and may be a whole file


def run(argv: Sequence[str] | None = None) -> int:
    """Run the program; every foreseeable error is one message and an exit code."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  None where it was closed before we began
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    with _ended_in_order() as came:
        code = _run(list(sys.argv[1:] if argv is None else argv))
    if code == STOPPED:
        sys.stderr.write("\nstopped\n")
    return 128 + came[0] if code == STOPPED and came else code


def _run(argv: list[str]) -> int:
    try:
        done = app(argv, prog_name="ranvier", standalone_mode=False)
    except typer.Exit as e:
        return e.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return STOPPED
    except (BrokenPipeError, SystemExit):  # the reader of our output has left (`ranvier stages | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except _UsageError as e:
        return wrong(_usage(e))
    except (RanvierError, OSError, _ClickException) as e:
        return wrong(str(e))
    except Exception as e:
        if os.environ.get("RANVIER_TRACEBACK"):
            raise
        where = extract_tb(e.__traceback__)[-1]
        said = f"{type(e).__name__}: {e} ({Path(where.filename).name}, line {where.lineno})"
        wrong(f"{said}. This should not happen: please report it, with what RANVIER_TRACEBACK=1 prints.")
        return 70
    return done if isinstance(done, int) else 0


@contextlib.contextmanager
def _ended_in_order() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does; yield what becomes a list of those that came."""
    came: list[int] = []

    def end(number: int, frame: Any) -> None:
        came.append(number)
        raise KeyboardInterrupt

    try:
        before = {n: signal.signal(n, end) for n in ending()}
    except ValueError:  # not the main thread: signals are not ours
        yield came
        return
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ending() -> list[int]:
    """Return the signals besides Ctrl-C that end us: SIGTERM, and SIGHUP unless it is ignored, as `nohup` asks."""
    hangup = getattr(signal, "SIGHUP", None)
    heard = hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN
    return [signal.SIGTERM, *([hangup] if hangup is not None and heard else [])]


def wrong(message: str) -> int:
    """Say what was wrong on standard error and return the exit code for it."""
    text = " ".join(message[: 2 * MOST].split())
    sys.stderr.write(f"error: {text[:MOST]}{' ...' if len(text) > MOST else ''}\n")
    return 2


def _usage(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "ranvier"
    return f"{error.format_message()} See `{path} --help`."  # type: ignore[attr-defined]
