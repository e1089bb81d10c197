"""The verbs and their order; each has a file of its own, and imports what it needs when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

from ranvier import __version__
from ranvier.cli._bench import bench
from ranvier.cli._check import check
from ranvier.cli._clean import clean
from ranvier.cli._demo import demo
from ranvier.cli._doctor import doctor
from ranvier.cli._evaluate import evaluate
from ranvier.cli._export import export
from ranvier.cli._fit import fit
from ranvier.cli._inspect import inspect
from ranvier.cli._live_session import live, record
from ranvier.cli._replay import replay
from ranvier.cli._run import run
from ranvier.cli._serve import serve
from ranvier.cli._sources import sources
from ranvier.cli._stages import stages
from ranvier.cli._verify import verify
from ranvier.cli._warm import warm

app = typer.Typer(
    name="ranvier",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ranvier {__version__}")
        raise typer.Exit


@app.callback()
def _ranvier(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Brain-computer interfaces from electrode to action: offline and live the same, to the bit.

    Begin with [bold]ranvier demo[/bold]. Every verb takes [bold]--json[/bold].
    """


for panel, verbs in (
    ("See it work", (demo,)),
    ("Work with recordings", (inspect, clean, verify, run, fit, evaluate, export)),
    ("Work with devices", (live, record, replay, doctor, sources, serve)),
    ("Build and measure", (stages, check, warm, bench)),
):
    for verb in verbs:
        app.command(verb.__name__, rich_help_panel=panel)(verb)
