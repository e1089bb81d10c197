"""run: every pipeline on every unit, over local processes, resumable."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ranvier.errors import ConfigError
from ranvier.evaluate._find import Source, digest_of, group, make_unit, open_source, sources
from ranvier.evaluate._leak import check_copies
from ranvier.evaluate._protocol import PeerPipeline, Pipeline, Protocol
from ranvier.evaluate._results import Results
from ranvier.evaluate._rows import Row
from ranvier.evaluate._unit import ask
from ranvier.stream import Recording

Progress = Callable[[int, int, str], None]
FILE = "results.jsonl"


@dataclass(frozen=True, eq=False)
class Job:
    """One pipeline on one unit; `key` says whether it was done before."""

    protocol: Protocol
    pipeline: Pipeline | PeerPipeline
    sources: tuple[Any, ...]  # Source, or recordings in memory
    key: str

    @property
    def text(self) -> str:
        """What a progress bar says."""
        return f"{self.pipeline.name}: {_names(self.sources)[0]}" + (" ..." if len(self.sources) > 1 else "")


def run(
    protocol: Protocol,
    recordings: Recording | str | Path | Iterable[Recording | str | Path],
    *,
    out: str | Path | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Results:
    """Ask every pipeline and peer of a protocol on recordings, files or folders.

    Parameters
    ----------
    protocol
        From `load_protocol`, or made in Python.
    recordings
        Paths of files and folders, or open recordings.
    out
        Folder for ``results.jsonl``. What stands there for the same protocol, pipeline, recordings and code
        is not computed again.
    jobs
        Local processes; 1 works in this one. Recordings that are not files stay in this one.
    progress
        Called with how many are done, how many there are, and which it was.

    Raises
    ------
    LeakError
        Where a training trial can see a test trial, or a recording is there twice.
    """
    if jobs < 1:
        raise ConfigError(f"jobs needs to be 1 or more; got {jobs}. Take the number of cores.")
    if not isinstance(recordings, str | Path) and isinstance(recordings, Iterable):
        given = list(recordings)
    else:
        given = [recordings]
    paths = [g for g in given if isinstance(g, str | Path)]
    found: list[Any] = [g for g in given if not isinstance(g, str | Path)]
    skipped: list[dict[str, str]] = []
    if paths:
        files, skipped = sources(protocol, paths)
        found += files
    opened = [_open(protocol, s) for s in found]
    names = _names(found)
    check_copies(opened, names)
    digests = [digest_of(r) for r in opened]
    todo = [
        Job(protocol, p, tuple(found[i] for i in unit), _key(protocol, p, [digests[i] for i in unit]))
        for unit in group(protocol, opened)
        for p in protocol.asked
    ]
    del opened
    store = None if out is None else Path(out) / FILE
    done = _load(store)
    for job, rows in _work([j for j in todo if j.key not in done], jobs):
        done[job.key] = rows
        _append(store, job.key, rows)
        if progress is not None:
            progress(len(todo) - sum(j.key not in done for j in todo), len(todo), job.text)
    lines = tuple(row for j in todo for row in done[j.key])
    return Results({"name": protocol.name, "id": protocol.id}, lines, tuple(skipped), protocol.seed, software())


def _names(found: Sequence[Any]) -> list[str]:
    return [s.name if isinstance(s, Source) else f"{s.info.name}[{i}]" for i, s in enumerate(found)]


def _open(protocol: Protocol, source: Any) -> Recording:
    return open_source(protocol, source) if isinstance(source, Source) else source


def do(job: Job) -> list[Row]:
    """Do one job; runs in a process of its own where there are several."""
    unit = make_unit(job.protocol, [_open(job.protocol, s) for s in job.sources], _names(job.sources))
    return ask(job.protocol, job.pipeline, unit)


def _one_thread() -> None:
    """Let a process that has others beside it compute in one thread."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return
    threadpool_limits(1)


def _work(todo: Sequence[Job], jobs: int) -> Iterator[tuple[Job, list[Row]]]:
    local = [j for j in todo if jobs == 1 or not all(isinstance(s, Source) for s in j.sources)]
    others = [j for j in todo if j not in local]
    if others:
        from concurrent.futures import ProcessPoolExecutor, as_completed
        from multiprocessing import get_context

        with ProcessPoolExecutor(min(jobs, len(others)), get_context("spawn"), _one_thread) as pool:
            futures = {pool.submit(do, j): j for j in others}
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            finally:
                for future in futures:
                    future.cancel()
    for j in local:
        yield j, do(j)


# what was done before ---------------------------------------------------------------------------
@lru_cache(maxsize=1)
def code_version() -> str:
    """Return a hash of the package's source: results of other code are not taken for this one's."""
    import ranvier

    digest = hashlib.sha256()
    root = Path(ranvier.__file__).parent
    for file in sorted(root.rglob("*.py")):
        if file.relative_to(root).parts[0] not in ("cli", "testing"):
            digest.update(file.relative_to(root).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def software() -> dict[str, str]:
    """Return the versions of what did the work."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "code": code_version()}
    for name in ("ranvier", "numpy", "scipy", "scikit-learn", "pyriemann", "mne"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _key(protocol: Protocol, pipeline: Pipeline | PeerPipeline, digests: Sequence[str]) -> str:
    text = json.dumps([protocol.id, list(protocol.cuts), pipeline.id, list(digests), code_version()])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _load(store: Path | None) -> dict[str, list[Row]]:
    """Return what a file of results holds; a line that was cut off counts as not written."""
    done: dict[str, list[Row]] = {}
    if store is None or not store.is_file():
        return done
    for line in store.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
            done[entry["key"]] = [Row.from_line(r) for r in entry["rows"]]
        except (ValueError, KeyError, TypeError):
            continue
    return done


def _append(store: Path | None, key: str, rows: Sequence[Row]) -> None:
    if store is None:
        return
    store.parent.mkdir(parents=True, exist_ok=True)
    text = store.read_bytes()[-1:] if store.is_file() else b"\n"
    with store.open("a", encoding="utf-8") as file:
        line = json.dumps({"key": key, "rows": [r.as_line() for r in rows]})
        file.write(("" if text == b"\n" else "\n") + line + "\n")
