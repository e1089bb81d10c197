"""Shared by the tests of fused chains: the same pieces through both plans, and what came out, bit by bit."""

import numpy as np

from ranvier.kernels._loop import best_width
from ranvier.stage import Run, as_tuple
from ranvier.stream import Block, Channels, StreamInfo

PLAIN = {"RANVIER_FUSE": "0", "RANVIER_WIDTH": "1"}  # stage by stage, one lane at a time: the definition
WAYS = (PLAIN, {})


def in_way(monkeypatch, way):
    """Let runs that start from now on be made in one of the ways."""
    for name in PLAIN:
        if name in way:
            monkeypatch.setenv(name, way[name])
        else:
            monkeypatch.delenv(name, raising=False)
    best_width.cache_clear()


def stream(n, rate=1000, dtype="f4", group=0, kind="spikes"):
    """Describe a signal whose channels lie in groups of equal size, if wanted."""
    groups = [f"g{i // group}" for i in range(n)] if group else ""
    return StreamInfo.signal(rate, Channels.of(n, kind, groups=groups), dtype=dtype)


def pieces(block, cuts):
    """Cut a block; what is left comes last."""
    out, at = [], 0
    for n in [*cuts, block.n]:
        out.append(block.cut(at, min(at + n, block.n)))
        at = min(at + n, block.n)
    return out


def told(chunk):
    """Return everything that a chunk says, as something that can be compared."""
    if isinstance(chunk, Block):
        return chunk.start, chunk.data.dtype.str, chunk.data.shape, chunk.data.tobytes(), chunk.valid.tobytes()
    return chunk.start, chunk.stop, chunk.table.tobytes()


def apart(a, b, where=""):
    """Say where two chunks differ; nothing where they are equal."""
    if told(a) == told(b):
        return ""
    if told(a)[:3] != told(b)[:3] or not isinstance(a, Block):
        return f"{where}: {a} and {b}"
    bits = f"u{a.data.dtype.itemsize}"
    numbers = np.argwhere(np.ascontiguousarray(a.data).view(bits) != np.ascontiguousarray(b.data).view(bits))
    masks = np.argwhere(a.valid != b.valid)
    return (
        f"{where}: {len(numbers)} numbers of {a}, first {numbers[:1].tolist()}; {len(masks)} masks {masks[:1].tolist()}"
    )


def push(run, blocks):
    """Push blocks and return all chunks that come out."""
    return [as_tuple(run.push(b)) for b in blocks]


def equal(one, other, where=""):
    """Refuse chunks that differ in anything."""
    assert len(one) == len(other)
    for i, (a, b) in enumerate(zip(one, other, strict=True)):
        for x, y in zip(a, b, strict=True):
            assert not apart(x, y), apart(x, y, f"{where} push {i}")


def equal_states(one, other, where=""):
    """Refuse runs that remember something else, to the bit."""
    a, b = one.save(), other.save()
    assert a.keys() == b.keys()
    odd = {k: np.argwhere(a[k] != b[k])[:1].tolist() for k in a if a[k].tobytes() != b[k].tobytes()}
    assert not odd, f"{where} states differ: {odd}"


def both(monkeypatch, stage, info, blocks, swap=None):
    """Let blocks flow both ways and compare everything; return what came out."""
    runs, outs = [], []
    for way in WAYS:
        in_way(monkeypatch, way)
        run = Run(stage, info)
        if swap:
            run.swap(*swap)
        outs.append(push(run, blocks))
        runs.append(run)
    in_way(monkeypatch, {})
    equal(*outs)
    equal_states(*runs)
    return outs[1]
