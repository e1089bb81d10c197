"""The command line: try it, look at recordings, run, fit, evaluate and check pipelines."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 something failed its check, 2 wrong input, 130 stopped.

    SIGTERM and SIGHUP stop a verb as Ctrl-C does, and give 143 and 129.

    Parameters
    ----------
    argv
        Arguments after the name of the program; those of the process unless given.
    """
    import os

    for library in ("OPENBLAS", "OMP", "MKL"):  # matrices here are small: more threads only wait for each other
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    try:
        from ranvier.cli._main import run

        return run(argv)
    except KeyboardInterrupt:  # before or behind everything that ends in order
        return 130
