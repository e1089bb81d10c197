"""What comes out of a pipeline: gathered by port, summed up, written to .npz or parquet."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ranvier.errors import ConfigError
from ranvier.stage import Run, Stage, Stream, as_tuple, feed, infos_of
from ranvier.stream import EVENT, Block, EventInfo, Info, StreamInfo


@dataclass(frozen=True, eq=False)
class Result:
    """Everything that came out of one port.

    Parameters
    ----------
    port
        Its name.
    info
        Its description.
    data, valid
        Samples ``(n, *shape)`` and their mask; of events the table, and None.
    index, newest
        Index of each sample in its stream, and of the newest source sample that it saw.
    """

    port: str
    info: Info
    data: Any
    valid: Any
    index: Any
    newest: Any

    @property
    def time(self) -> Any:
        """When the newest source sample of each was [s]."""
        return self.newest / float(self.info.origin.rate)

    def summary(self) -> dict[str, Any]:
        """Return plain values with stable keys."""
        n = len(self.data)
        if isinstance(self.info, EventInfo):
            labels = sorted({self.info.labels.get(int(c), str(c)) for c in self.data["code"]})
            shape, rate, good, channels, dtype = [1], 0.0, 1.0, labels, "events"
        else:
            shape, rate, dtype = list(self.info.shape), float(self.info.rate), str(self.info.dtype)
            good, channels = float(self.valid.mean()) if self.valid.size else 1.0, list(self.info.channels.names)
        return {
            "port": self.port,
            "n": n,
            "shape": shape,
            "dtype": dtype,
            "rate": rate,
            "valid": good,
            "channels": channels,
            "delay": float(self.info.delay),
            "support": self.info.support,
        }


def collect(
    stage: Stage, rec: Any, size: int, first: int, last: int, advance: Callable[[float], None] = lambda _: None
) -> list[Result]:
    """Feed samples `first` to `last` of a recording in blocks of `size`, and gather what comes out."""
    run = Run(stage, *infos_of(stage, rec))
    infos = as_tuple(run.info)
    chunks: list[list[Any]] = [[] for _ in infos]
    for out in feed(run, rec, size, first, last):
        for port, chunk in zip(chunks, as_tuple(out), strict=True):
            port.append(chunk)
        advance(size)
    return [_join(p.name, info, c) for p, info, c in zip(stage.outputs, infos, chunks, strict=True)]


def _join(port: str, info: Info, chunks: list[Any]) -> Result:
    if isinstance(info, EventInfo):
        table = np.concatenate([c.table for c in chunks]) if chunks else np.empty(0, EVENT)
        return Result(port, info, table, None, table["sample"], table["sample"])
    kept: list[Block] = [b for b in chunks if b.n]
    if not kept:
        empty = np.empty((0, *info.shape), info.dtype)
        none = np.empty(0, np.int64)
        return Result(port, info, empty, np.empty(empty.shape, bool), none, none)
    stream = Stream(info, kept)
    return Result(
        port,
        info,
        np.concatenate([b.data for b in kept]),
        np.concatenate([b.valid for b in kept]),
        np.concatenate([np.arange(b.start, b.stop) for b in kept]),
        np.concatenate([stream.newest(b) for b in kept]),
    )


def is_decisions(info: Info) -> bool:
    """Say whether each sample is one score a class, whose largest is the decision."""
    return isinstance(info, StreamInfo) and info.is_signal and set(info.channels.kinds) == {"class"}


def decisions(result: Result) -> list[dict[str, Any]]:
    """Return stretches of the same decision: from, to [s], decision, mean score of it, how many."""
    good = result.valid.all(axis=1)
    time, data = result.time[good], result.data[good]
    if not len(data):
        return []
    best = data.argmax(axis=1)
    jumps = np.diff(result.index[good]) != 1
    edges = np.flatnonzero((np.diff(best) != 0) | jumps) + 1
    names = result.info.channels.names  # type: ignore[union-attr]
    found = []
    for a, b in zip([0, *edges], [*edges, len(best)], strict=True):
        scores = data[a:b, best[a]]
        mean = float(scores.mean(dtype=np.float64))
        found.append(
            {
                "from": float(time[a]),
                "to": float(time[b - 1]),
                "decision": names[best[a]],
                "score": mean,
                "n": int(b - a),
            }
        )
    return found


def check_out(out: Path | None, *inputs: Path) -> None:
    """Refuse, before anything long begins, a path that cannot be written, that is read, or of no known kind."""
    if out is None:
        return
    if out.suffix not in (".npz", ".parquet"):
        raise ConfigError(f"--out needs a name that ends in .npz or .parquet; got {out}. Rename it.")
    if not out.parent.is_dir():
        raise ConfigError(f"--out needs a folder that exists; {out.parent} does not. Make it first.")
    if out.is_dir():
        raise ConfigError(f"--out needs a file; {out} is a folder. Name a file in it.")
    if out.exists() and any(i.exists() and out.samefile(i) for i in inputs):
        raise ConfigError(f"--out needs a file that is not read; {out} is an input. Name another one.")
    if out.suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise ConfigError(
                "--out as parquet needs pyarrow, which is not installed. Run: pip install pyarrow, or write .npz."
            ) from None


def write(out: Path, results: list[Result]) -> None:
    """Write what came out, the whole file or none of it; with several ports names begin with that of their port."""
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        (_write_parquet if out.suffix == ".parquet" else _write_npz)(part, results)
        part.replace(out)
    except OSError as e:
        raise ConfigError(f"--out needs a place that can be written; {out} cannot be: {e}. Name another one.") from e
    finally:
        part.unlink(missing_ok=True)


def _write_npz(out: Path, results: list[Result]) -> None:
    arrays: dict[str, Any] = {}
    for r in results:
        mark = f"{r.port}." if len(results) > 1 else ""
        parts = {"data": r.data, "index": r.index, "newest": r.newest, "time": r.time}
        if isinstance(r.info, StreamInfo):
            parts |= {"valid": r.valid, "channels": np.array(r.info.channels.names)}
            parts |= {"units": np.array(r.info.channels.units), "rate": np.array(str(r.info.rate))}
        else:
            parts |= {"codes": np.array(list(r.info.labels)), "labels": np.array(list(r.info.labels.values()))}
        arrays |= {mark + k: v for k, v in parts.items()}
    with out.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _write_parquet(out: Path, results: list[Result]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    if len(results) != 1 or not isinstance(results[0].info, StreamInfo) or not results[0].info.is_signal:
        shapes = ", ".join(f"{r.port} of shape {tuple(r.summary()['shape'])}" for r in results)
        raise ConfigError(f"--out as parquet needs one plain signal; got {shapes}. Write .npz instead.")
    r = results[0]
    info = results[0].info
    columns = {"index": r.index, "newest": r.newest, "time": r.time}
    for i, name in enumerate(info.channels.names):
        columns[name] = np.ascontiguousarray(r.data[:, i])
        columns[f"{name}.valid"] = np.ascontiguousarray(r.valid[:, i])
    table = pa.table(columns).replace_schema_metadata(
        {"rate": str(info.rate), "units": " ".join(info.channels.units), "stream": info.name}
    )
    parquet.write_table(table, out)
