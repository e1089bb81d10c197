"""What the demo shows while it runs: the cue, the decision, how often it was right, how late it came."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ranvier.cli._live import Live
from ranvier.cli._output import aside, clean, console, line
from ranvier.cli._referee import Attempt
from ranvier.evaluate import wilson

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

BARS = " ▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉█"
COLUMN = 0.02  # [s] of signal in one column: a mean over it leaves out 50 Hz
EVERY = 0.1  # [s] between two pictures


def spark(wave: Sequence[float], rate: float, columns: int) -> tuple[str, float]:
    """Return the latest signal as a line of bars, and half of the range that it spans."""
    width = max(1, round(COLUMN * rate))
    n = min(len(wave) // width, columns)
    if n < 2:
        return "", 0.0
    x = np.asarray(wave)[-n * width :].reshape(n, width)
    x = np.nan_to_num(x).mean(axis=1)
    x = x - np.median(x)
    half = max(float(np.abs(x).max()), 1e-9)
    places = np.clip(np.round((x / half + 1) / 2 * 7), 0, 7).astype(int)
    return "".join(BARS[1 + p] for p in places), half


def bar(part: float, width: int) -> str:
    """Return a horizontal bar in steps of an eighth of a character."""
    eighths = round(min(max(part, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)


def accuracy(live: Live) -> tuple[int, int, float, float]:
    """Return how many were right, of how many, and the 95 % interval of the share."""
    n = len(live.referee.over)
    low, high = wilson(live.referee.right, n) if n else (0.0, 1.0)
    return live.referee.right, n, low, high


class Picture:
    """The terminal, redrawn a few times a second.

    Parameters
    ----------
    title
        What is decoded.
    """

    def __init__(self, title: str) -> None:
        from rich.live import Live as Screen

        self.title = title
        self.screen = Screen(console=console(), auto_refresh=False, transient=True)
        self.drawn = 0.0

    def __enter__(self) -> Picture:
        self.screen.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.screen.__exit__(*error)

    def look(self, live: Live, ended: Sequence[Attempt]) -> None:
        """Draw, if the last picture is old enough."""
        now = time.perf_counter()
        if now - self.drawn >= EVERY:
            self.drawn = now
            self.screen.update(self.picture(live), refresh=True)

    def picture(self, live: Live) -> RenderableType:
        """Return what is to be seen now."""
        from rich import box
        from rich.console import Group
        from rich.panel import Panel
        from rich.table import Table

        part = (live.now - live.start) / max(live.stop - live.start, 1)
        done = f" {(live.now - live.start) / live.rate:3.0f} of {(live.stop - live.start) / live.rate:.0f} s"
        width = self.screen.console.width
        two = Table.grid(expand=True, padding=(0, 1))
        two.add_column(ratio=2)
        two.add_column(ratio=3)
        two.add_row(
            Panel(_cue(live), title="the person", title_align="left", box=box.ROUNDED, border_style="cyan"),
            Panel(_scores(live), title="the decoder", title_align="left", box=box.ROUNDED, border_style="cyan"),
        )
        columns = max(10, width - 18)
        wave, half = spark(live.wave, live.rate, columns)
        name = live.recording.info.channels.names[live.shown]
        unit = live.recording.info.channels.units[live.shown]
        drawn = line((f"  {name:<4}", "bold"), (wave.ljust(columns), "green"), (f" ±{half:.0f} {unit}", "dim"))
        bottom = line((bar(part, columns + 4), "cyan"), (done, "dim"))
        return Group(two, drawn, line(""), _tally(live), _latency(live), line(""), bottom)


def _cue(live: Live) -> Text:
    classes = live.referee.classes
    attempt = live.referee.current(live.now)
    if attempt is None:
        return line(("waits for the next cue", "dim"), "\n" * (len(classes) - 1))
    part = (live.now - attempt.onset) / max(attempt.end - attempt.onset, 1)
    so_far = attempt.decision(classes)
    style = "dim" if not so_far else "bold green" if so_far == attempt.cue else "bold red"
    text = line("is asked for  ", (attempt.cue, "bold yellow"), "\n", (bar(part, 22), "yellow"))
    if len(classes) > 2:
        text.append_text(line("\ndecided so far  ", (so_far or "nothing yet", style)))
    text.append("\n" * (len(classes) - 3))
    return text


def _scores(live: Live) -> Text:
    classes, latest = live.referee.classes, live.referee.latest
    attempt = live.referee.current(live.now)
    wide = max(len(c) for c in classes)
    rows: list[str | tuple[str, str]] = []
    if latest is None:
        support = live.info.settle / float(live.info.origin.rate)
        return line((f"listens: its filters settle in {support:.1f} s", "dim"), "\n" * (len(classes) - 1))
    shares = _shares(latest)
    best = int(shares.argmax())
    for i, c in enumerate(classes):
        style = "dim" if i != best else "bold" if attempt is None else "bold green" if c == attempt.cue else "bold red"
        rows.append((f"{c:<{wide}} {bar(float(shares[i]), 24)} {100 * shares[i]:3.0f} %", style))
        rows.append("\n" if i + 1 < len(classes) else "")
    return line(*rows)


def _shares(scores: Any) -> Any:
    """Return scores as shares of their sum: what probabilities are; of others, by softmax."""
    if (scores >= 0).all() and abs(float(scores.sum()) - 1) < 1e-3:
        return scores
    e = np.exp(scores - scores.max())
    return e / e.sum()


def _tally(live: Live) -> Text:
    classes = live.referee.classes
    marks: list[str | tuple[str, str]] = []
    for a in live.referee.over[-24:]:
        good = a.decision(classes) == a.cue
        marks.append(("✓", "green") if good else ("✗", "red") if a.n else ("·", "dim"))
    right, n, low, high = accuracy(live)
    if not n:
        return line(("right    ", "bold"), ("the first trial goes on", "dim"))
    words = f"  {right} of {n}, {100 * right / n:.0f} %"
    rest = f"  (95 % interval {100 * low:.0f} to {100 * high:.0f} %, chance {100 / len(classes):.0f} %)"
    return line(("right    ", "bold"), *marks, (words, "bold"), (rest, "dim"))


def _latency(live: Live) -> Text:
    found = live.report.latency
    age, compute = found.get("input age"), found.get("compute")
    ages = f"input age {age['p50'] / 1e3:.1f} ms (p99 {age['p99'] / 1e3:.1f})   " if age else ""
    each = f"computing {compute['p50']:.0f} us (p99 {compute['p99']:.0f}) a block" if compute else ""
    return line(("latency  ", "bold"), ages + each)


class Lines:
    """One line a trial, where the output is not a terminal."""

    def __init__(self, title: str, quiet: bool) -> None:
        self.out = aside() if quiet else console()
        self.title = title

    def __enter__(self) -> Lines:
        self.out.print(line(self.title))
        return self

    def __exit__(self, *error: Any) -> None:
        pass

    def look(self, live: Live, ended: Sequence[Attempt]) -> None:
        """Print the trials that have ended."""
        for a in ended:
            decided = a.decision(live.referee.classes)
            mark = "right" if decided == a.cue else "wrong" if a.n else "no decision"
            right, n, _, _ = accuracy(live)
            at = (a.onset - live.start) / live.rate
            text = f"{at:7.1f} s  asked for {a.cue:<6} decided {decided or '-':<6} {mark:<12} {right} of {n}"
            self.out.print(clean(text))
