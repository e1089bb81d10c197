"""ranvier bench record: what it takes to record an implant, compressed and safe, beside array stores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import RanvierError
from ranvier.evaluate.bench._data import RATE, make_implant
from ranvier.evaluate.bench._machine import Watch, machine
from ranvier.evaluate.bench._options import Options
from ranvier.evaluate.bench._timing import quiet

Array = npt.NDArray[Any]
BLOCKS_MS = (20.0,)
CHANNELS = 1024
MADE = 1.0  # s of data that are made; longer recordings go through it again
Append = Callable[[Array, int], None]  # samples and the index of the first


@contextmanager
def _ranvier(folder: Path, shape: tuple[int, int], block: int, codec: str) -> Iterator[Append]:
    """Our writer, with its sync once a second."""
    from ranvier.record import Stored, Writer
    from ranvier.stream import Channels, StreamInfo

    info = StreamInfo.signal(RATE, Channels.of(shape[1], "spikes", "count"), name="raw", dtype="int16")
    with Writer(folder / "a.rvr", {}, {"raw": Stored(info, 0.195, "uV", codec=codec)}) as writer:
        clock = time.monotonic_ns

        def append(x: Array, start: int) -> None:
            writer.append("raw", x, start, clock())
            writer.flush()

        yield append


@contextmanager
def _zarr(folder: Path, shape: tuple[int, int], block: int) -> Iterator[Append]:
    """zarr-python: a chunk a block, lz4 with bitshuffle."""
    import zarr
    from zarr.codecs import BloscCodec

    codec = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle", typesize=2)
    array = zarr.create_array(
        store=str(folder / "a.zarr"), shape=shape, chunks=(block, shape[1]), dtype="int16", compressors=codec
    )
    yield lambda x, start: array.__setitem__(slice(start, start + len(x)), x)


@contextmanager
def _tiledb(folder: Path, shape: tuple[int, int], block: int) -> Iterator[Append]:
    """TileDB: a tile a block, lz4 with bitshuffle."""
    import tiledb

    uri = str(folder / "a.tiledb")
    dims = [
        tiledb.Dim(name, domain=(0, size - 1), tile=tile, dtype=np.int64)
        for name, size, tile in (("t", shape[0], block), ("c", shape[1], shape[1]))
    ]
    filters = tiledb.FilterList([tiledb.BitShuffleFilter(), tiledb.LZ4Filter(5)])
    made = tiledb.ArraySchema(tiledb.Domain(*dims), attrs=[tiledb.Attr("x", dtype=np.int16, filters=filters)])
    tiledb.Array.create(uri, made)
    with tiledb.open(uri, "w") as array:
        yield lambda x, start: array.__setitem__(slice(start, start + len(x)), x)


def _read_ranvier(folder: Path) -> Array:
    from ranvier import record

    return np.concatenate([d.samples for d in record.open(folder / "a.rvr").raw("raw").blocks()])  # type: ignore[attr-defined]


def _read_zarr(folder: Path) -> Array:
    import zarr

    return np.asarray(zarr.open_array(str(folder / "a.zarr"), mode="r")[:])


def _read_tiledb(folder: Path) -> Array:
    import tiledb

    with tiledb.open(str(folder / "a.tiledb")) as array:
        return np.asarray(array[:]["x"])


Make = Callable[[Path, tuple[int, int], int], Any]
OURS: dict[str, tuple[Make, Callable[[Path], Array]]] = {
    "ranvier": (lambda *a: _ranvier(*a, codec="delta"), _read_ranvier),
    "ranvier, raw": (lambda *a: _ranvier(*a, codec="raw"), _read_ranvier),
}
PEERS: dict[str, tuple[Make, Callable[[Path], Array]]] = {
    "zarr": (_zarr, _read_zarr),
    "tiledb": (_tiledb, _read_tiledb),
}


def record(options: Options, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure recording; docs/benchmarks.md says what each figure is."""
    channels = options.channels or CHANNELS
    peers, notes = options.usable_peers({name: (name,) for name in PEERS}, usual=tuple(PEERS))
    if "zarr" in peers and not _version("zarr").startswith("3."):
        peers.remove("zarr")
        notes.append(f"zarr {_version('zarr')} was left out: it does not write Zarr v3; pip install 'zarr>=3'")
    known = OURS | {p: PEERS[p] for p in peers}
    say("making data")
    x = make_implant(channels, MADE, options.seed).counts
    watch, rows = Watch(), []
    for ms, block in options.blocks(BLOCKS_MS, RATE):
        for name, (make, read) in known.items():
            say(f"{name}: comparing what is read back")
            _check(name, make, read, x[: 4 * block], block)
        turns: dict[str, list[dict[str, Any]]] = {name: [] for name in known}
        blocks = max(round(options.seconds / options.turns * RATE / block), 1)
        with quiet():
            for turn in range(options.turns):
                say(f"turn {turn + 1} of {options.turns}")
                for name, (make, _) in known.items():
                    turns[name].append(_turn(make, x, block, blocks))
        rows += [{"channels": channels, "block_ms": ms, "who": name, **_row(t)} for name, t in turns.items()]
    return {
        "kind": "record", "rows": rows, "notes": notes, "busy": watch.said(),
        "machine": machine("numcodecs", *peers), "seed": options.seed,
    }  # fmt: skip


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _check(name: str, make: Make, read: Callable[[Path], Array], x: Array, block: int) -> None:
    """Refuse to time who does not give back what it was given."""
    with TemporaryDirectory(prefix="ranvier-bench-") as where:
        with make(Path(where), (len(x), x.shape[1]), block) as append:
            for a in range(0, len(x), block):
                append(x[a : a + block], a)
        if not np.array_equal(read(Path(where)), x):
            raise RanvierError(f"bench needs what was written to be read back; {name} gave something else.")


def _turn(make: Make, x: Array, block: int, blocks: int) -> dict[str, Any]:
    """Write blocks as fast as it goes; return what that took, and what closing took."""
    clock, took = time.perf_counter_ns, np.empty(blocks)
    places = len(x) // block
    with TemporaryDirectory(prefix="ranvier-bench-") as where:
        writer = make(Path(where), (blocks * block, x.shape[1]), block)
        append = writer.__enter__()
        cpu, begin = time.process_time_ns(), clock()
        for k in range(blocks):
            piece = x[k % places * block : k % places * block + block]
            start = clock()
            append(piece, k * block)
            took[k] = clock() - start
        wall, cpu, closing = clock() - begin, time.process_time_ns() - cpu, clock()
        writer.__exit__(None, None, None)
        closing = clock() - closing
        stored = sum(p.stat().st_size for p in Path(where).rglob("*") if p.is_file())
    size = blocks * block * x[0].nbytes
    return {
        "bytes": size, "wall": wall / 1e9, "cpu": cpu / 1e9, "stored": stored, "took": took, "closing": closing / 1e6,
        "seconds": blocks * block / RATE,
    }  # fmt: skip


def _row(turns: list[dict[str, Any]]) -> dict[str, Any]:
    p50, p99, p999 = np.percentile(np.concatenate([t["took"] for t in turns]) / 1e3, [50, 99, 99.9])
    return {
        "mbytes": float(np.median([t["bytes"] / t["wall"] for t in turns])) / 1e6,
        "core_percent": 100 * float(np.median([t["cpu"] / t["seconds"] for t in turns])),
        "ratio": float(np.median([t["bytes"] / t["stored"] for t in turns])),
        "closing_ms": float(np.median([t["closing"] for t in turns])), "p50_us": float(p50),
        "p99_us": float(p99), "p999_us": float(p999),
    }  # fmt: skip
