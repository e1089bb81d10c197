"""Kept: one array that grows in an `.rvr` recording, how its chunks are coded, and how Zarr is told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import FormatError
from ranvier.record._reading import need
from ranvier.record._rvr_format import crc32c

Array = npt.NDArray[Any]
CODECS = ("raw", "blosc", "delta")
DTYPES = ("bool", "int16", "int32", "int64", "float32", "float64")
CHUNK = 1 << 19  # bytes of a chunk, uncoded, unless one sample is larger: it stays in the second cache
BLOCK = 1 << 16  # bytes that blosc compresses at a time: fits the first caches
LEVEL = 9  # of lz4: no slower here than 1, and 4 % smaller
LARGE = 1 << 16  # bytes of a chunk from which on compiled loops are worth it
OVERHEAD = 16 + 4  # bytes that blosc and the check value add at most


@dataclass(frozen=True)
class Kept:
    """One array that grows.

    Parameters
    ----------
    index
        Which of the part's arrays it is.
    folder
        Its name.
    dtype, shape
        Of one sample.
    rows
        Samples in a chunk.
    codec
        ``raw``; ``blosc``: by channel, lz4 with bitshuffle; ``delta``: the same of differences.
    """

    index: int
    folder: str
    dtype: str
    shape: tuple[int, ...]
    rows: int
    codec: str

    @property
    def nbytes(self) -> int:
        """Bytes of a chunk, uncoded."""
        return self.rows * int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    @property
    def shard(self) -> str:
        """Name of the file with the chunks."""
        return "c" + ".0" * (1 + len(self.shape))

    @cached_property
    def _blosc(self) -> Any:
        return need("numcodecs.blosc", "An .rvr recording")

    def _alone(self, work: Any, *args: Any) -> Any:
        """Let blosc work in this thread alone; left to itself, it starts some where it is called from the main one."""
        blosc = self._blosc
        before, blosc.use_threads = blosc.use_threads, False
        try:
            return work(*args)
        finally:
            blosc.use_threads = before

    def encode(self, chunk: Array) -> bytes:
        """Return the bytes of a chunk; their CRC32C follows them in the file, as Zarr has it."""
        if self.codec == "raw":
            return chunk.tobytes()
        turned = self._turn(chunk.reshape(self.rows, -1))
        coded: bytes = self._alone(self._blosc.compress, turned, b"lz4", LEVEL, 2, BLOCK)
        return coded

    def decode(self, coded: bytes, crc: int) -> Array:
        """Return the chunk, or raise FormatError: the check values decide before anything else is believed."""
        body = coded[:-4]
        if coded[-4:] != crc.to_bytes(4, "little") or crc32c(body) != crc:
            raise FormatError("its bytes do not agree with their check value and that of the journal")
        dtype = np.dtype(self.dtype)
        if self.codec == "raw":
            if len(body) != self.nbytes:
                raise FormatError(f"it needs {self.nbytes} bytes; got {len(body)}")
            return np.frombuffer(body, dtype).reshape(self.rows, *self.shape)
        self._check_head(body, dtype.itemsize)
        try:
            flat = np.frombuffer(self._alone(self._blosc.decompress, body), dtype)
        except RuntimeError as e:  # of blosc
            raise FormatError(f"it does not unpack: {e}") from None
        return self._turn_back(flat.reshape(-1, self.rows)).reshape(self.rows, *self.shape)

    def _check_head(self, body: bytes, itemsize: int) -> None:
        """Refuse a head of blosc's that does not fit: the library would believe it, and read where nothing is."""
        if len(body) >= 16:
            version, flags, typesize = body[0], body[2], body[3]
            nbytes, block, length = np.frombuffer(body, "<u4", 3, 4).tolist()
            fits = version == 2 and typesize == itemsize and nbytes == self.nbytes and length == len(body)
            if fits and 0 < block <= nbytes and (not flags & 2 or length == nbytes + 16):
                return
        raise FormatError(f"it does not unpack to {self.nbytes} bytes")

    def _turn(self, x: Array) -> Array:
        """Return ``(n_channels, n)``; of whole numbers each less the one before it in memory."""
        if self.codec != "delta":
            return np.ascontiguousarray(x.T)
        out = self._turned
        if self.nbytes >= LARGE:
            self._kernels.turn[x.dtype](x, out)
        else:
            out[:, 1:] = (x[1:] - x[:-1]).T
            out[0, 0] = x[0, 0]
            out[1:, 0] = x[0, 1:] - x[-1, :-1]
        return out

    def _turn_back(self, x: Array) -> Array:
        """Undo `_turn`."""
        if self.codec == "delta" and self.nbytes < LARGE:
            x = np.cumsum(x.ravel(), dtype=x.dtype).reshape(x.shape)
        elif self.codec == "delta":
            out = np.empty(x.shape[::-1], x.dtype)
            self._kernels.turn_back[x.dtype](x, out)
            return out
        return np.ascontiguousarray(x.T)

    @cached_property
    def _turned(self) -> Array:
        """Memory for `_turn`: one thread alone encodes."""
        return np.empty((self.nbytes // np.dtype(self.dtype).itemsize // self.rows, self.rows), self.dtype)

    @cached_property
    def _kernels(self) -> Any:
        return import_module("ranvier.kernels._delta")  # knows Numba, which reading small chunks need not wait for

    def zarr(self, chunks: int, samples: int, attributes: dict[str, Any]) -> bytes:
        """Return the ``zarr.json`` of a segment.

        Parameters
        ----------
        chunks
            In the shard.
        samples
            Rows, of which the last chunk may lack some.
        attributes
            What else to say.
        """
        dims, dtype = 1 + len(self.shape), np.dtype(self.dtype)
        inner: list[dict[str, Any]] = [_named("bytes", **({} if dtype.itemsize == 1 else {"endian": "little"}))]
        if self.codec != "raw":
            blosc = {
                "typesize": dtype.itemsize, "cname": "lz4", "clevel": LEVEL, "shuffle": "bitshuffle",
                "blocksize": BLOCK,
            }  # fmt: skip
            delta = [_named("numcodecs.delta", dtype=dtype.str)] if self.codec == "delta" else []
            inner = [_named("transpose", order=[*range(1, dims), 0]), *delta, *inner, _named("blosc", **blosc)]
        inner.append({"name": "crc32c"})
        index = [_named("bytes", endian="little"), {"name": "crc32c"}]
        sharding = _named(
            "sharding_indexed", chunk_shape=[self.rows, *self.shape], codecs=inner, index_codecs=index,
            index_location="end",
        )  # fmt: skip
        said = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": [samples, *self.shape],
            "data_type": self.dtype,
            "chunk_grid": _named("regular", chunk_shape=[max(chunks, 1) * self.rows, *self.shape]),
            "chunk_key_encoding": _named("default", separator="."),
            "fill_value": {"b": False, "f": 0.0}.get(dtype.kind, 0),
            "codecs": [sharding],
            "attributes": attributes,
        }
        return json.dumps(said, indent=1).encode()


def _named(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration} if configuration else {"name": name}


def group(attributes: dict[str, Any] | None = None) -> bytes:
    """Return the ``zarr.json`` of a folder that holds groups or arrays."""
    return json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes or {}}, indent=1).encode()


def rows_for(rate: float, row_bytes: int) -> int:
    """Return how many samples a chunk holds: at most 50 ms, at most `CHUNK` bytes, at least one."""
    return max(1, min(int(rate / 20), CHUNK // row_bytes))
