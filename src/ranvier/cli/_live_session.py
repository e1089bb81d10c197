"""ranvier live, ranvier record: a session from a file, or a source straight into a recording."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ranvier.cli._output import Json, aside, console, duration, emit, line, table
from ranvier.cli._serve import parse_time

For = Annotated[str | None, typer.Option("--for", help="How long (60s, 5min); until stopped unless given.")]
Set = Annotated[
    list[str], typer.Option("--set", help="Another value of the session file: KEY=VALUE, such as budget.age=0.1.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Add to the recording if it is there already.")]
EVERY = 0.25  # s between two looks at the figures


def live(
    file: Annotated[Path, typer.Argument(help="A session file (.toml): source, pipeline, budget, guard, actuator.")],
    for_: For = None,
    record: Annotated[Path | None, typer.Option("--record", help="Folder of the recording to make (.rvr).")] = None,
    set_: Set = [],  # noqa: B006  typer copies it
    resume: Resume = False,
    json: Json = False,
) -> None:
    """Run a session: decode what a device delivers, act on it under guard, record it all."""
    from ranvier.cli._files import need_file
    from ranvier.session._build import build
    from ranvier.session._file import read_session

    said = read_session(need_file(file, "ranvier live"), set_)
    if record is not None:
        said = said.model_copy(update={"record": str(record.resolve())})
    if resume:
        said = said.model_copy(update={"resume": True})
    session = build(said, file.parent)
    if said.doctor is not None and said.doctor.demand:
        from ranvier.cli._doctor import demand

        demand(session, said.doctor.minutes)
    go("live", session, parse_time(for_) if for_ else said.seconds, json)


def record(
    source: Annotated[str, typer.Argument(help="Such as lsl:name=EEG, cyton:PORT, rhx:HOST, replay:FILE?speed=2.")],
    out: Annotated[Path, typer.Argument(help="Folder of the recording to make (.rvr).")],
    for_: For = None,
    pipeline: Annotated[
        Path | None, typer.Option("--decode", help="A fitted pipeline (.rvm, .toml) that decodes meanwhile.")
    ] = None,
    subject: Annotated[str, typer.Option(help="Whose signals they are.")] = "",
    task: Annotated[str, typer.Option(help="What they do.")] = "",
    resume: Resume = False,
    json: Json = False,
) -> None:
    """Record what a device delivers; and decode it, if wanted."""
    from ranvier import acquire
    from ranvier.cli._files import need_stage, open_pipeline
    from ranvier.session import Session

    graph = None if pipeline is None else need_stage(open_pipeline(pipeline), pipeline)
    head = {k: v for k, v in (("subject", subject), ("task", task)) if v}
    session = Session(acquire.source(source), graph, record=out, resume=resume, head=head)
    go("record", session, parse_time(for_) if for_ else 0.0, json)


def go(verb: str, session: Any, seconds: float, json: bool) -> None:
    """Run a session to its end, in sight; print its figures; exit with 1 where something was lost."""
    say = aside()
    with _stopping(session), _picture(session, seconds, json) as look:
        session.look = look
        with session:
            what = ", ".join(
                f"{s.info.n_channels} channels at {float(s.info.rate):g} Hz" for s in session.sources.values()
            )
            where = "" if session.record is None else f", recording to {session.record}"
            say.print(line((verb, "bold"), f"  {what}{where}"))
            session.run(seconds=seconds)
    found = session.report.as_table()
    if json:
        emit(verb, found)
    else:
        show(found)
    rec = found["recording"]
    failed = any(s["failure"] for s in found["sources"].values()) or rec.get("state", "closed") != "closed"
    if failed or any(rec.get("lost", {}).values()) or rec.get("notes_lost"):
        raise typer.Exit(1)


@contextmanager
def _stopping(session: Any) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal end the session in order."""
    from ranvier.cli._main import ending

    def stop(number: int, frame: Any) -> None:
        session.wish("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, *ending())}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _picture(session: Any, seconds: float, json: bool) -> Iterator[Callable[[Any, list[Any]], None] | None]:
    """Show the figures while it runs, from a thread that only looks; nothing where nobody sees it."""
    if json or not sys.stderr.isatty():
        yield None
        return
    from threading import Event, Thread

    from rich.live import Live

    over, newest = Event(), {"decision": ""}

    def keep(out: Any, said: list[Any]) -> None:
        newest["out"] = (out.data[-1].copy(), out.valid[-1].all())

    def draw(view: Live) -> None:
        while not over.wait(EVERY):
            session.report.update()
            view.update(_line(session.report, newest.get("out"), seconds))

    with Live(console=aside(), transient=True, auto_refresh=True, refresh_per_second=4) as view:
        thread = Thread(target=draw, args=(view,), daemon=True)
        thread.start()
        try:
            yield keep
        finally:
            over.set()
            thread.join()


def _line(report: Any, newest: Any, seconds: float) -> Any:
    age = report.latency.get("input age", {})
    lost = sum(s["lost"] + s["overrun_samples"] for s in report.sources.values())
    of = f" of {duration(seconds)}" if seconds else ""
    parts: list[Any] = [
        (f"{duration(report.seconds)}{of}  ", "bold"), f"{report.counts.get('samples', 0):,} samples  ",
        (f"{lost} lost  ", "red" if lost else "green"),
    ]  # fmt: skip
    if age:
        parts.append(f"input age {age['p50'] / 1e3:.1f} ms (p99 {age['p99'] / 1e3:.1f})  ")
    if newest is not None:
        parts.append(" ".join(f"{v:.2f}" for v in newest[0].ravel()[:6].tolist()) if newest[1] else "invalid")
    if report.recording:
        parts.append((f"  recorder {report.recording.get('state')}", "dim"))
        if report.recording.get("disk_warning"):
            parts.append((f"  disk full in {duration(report.recording['seconds_left'])}", "bold red"))
    return line(*parts)


def show(found: dict[str, Any]) -> None:
    """Print what a session was."""
    c, out = found["counts"], console()
    rows = [("ended", f"{found['ended']}, after {duration(found['seconds'])}")]
    for name, s in found["sources"].items():
        rate = f", {s['rate']:.4g} Hz by the host's clock" if s["rate"] else ""
        lost = s["lost"] + s["overrun_samples"]
        rows.append(
            (name, f"{s['samples']:,} samples{rate}; {lost} lost in {s['gaps']} gaps, {s['damaged']} packets damaged")
        )
        if s["failure"]:
            rows.append(("", s["failure"]))
    rows.append(("decisions", f"{c['decisions']:,}, {c['invalid']} of them invalid"))
    if found["guard"]:
        why = ", ".join(f"{n} {r}" for r, n in found["guard"]["refused"].items())
        rows.append((
            "commands", f"{c['approved']} approved ({found['guard']['clamped']} clamped), {c['refused']} refused"
            f"{' (' + why + ')' if why else ''}, {c['missed']} beyond the budget, {c['skipped']} skipped",
        ))  # fmt: skip
    got = found["granted"]
    if got.get("realtime") or got.get("core") is not None:
        core = "" if got["core"] is None else f", core {got['core']}"
        rows.append(("machine", f"{'real-time priority' if got['realtime'] else 'no real-time priority'}{core}"))
    out.print(table("", "", rows=rows, head=False))
    times = [
        (name, f"{h['n']:,}", *(f"{h[k] / 1e3:.3f}" for k in ("p50", "p99", "p999", "max")))
        for name, h in found["latency_us"].items()
    ]
    head = ("latency [ms]", "n", "p50", "p99", "p99.9", "max")
    out.print(table(*head, rows=times, right=head[1:]))
    rec = found["recording"]
    if rec:
        lost = sum(rec.get("lost", {}).values())
        out.print(line(
            ("recorded ", "green" if rec["state"] == "closed" and not lost else "red"),
            f"{rec['path']}: {rec.get('bytes', 0) / 1e6:.1f} MB, {lost} samples lost; ",
            (f"ranvier replay {rec['path']} --check", "dim"),
        ))  # fmt: skip
        if rec.get("error"):
            out.print(line(("recorder ", "red"), rec["error"]))
