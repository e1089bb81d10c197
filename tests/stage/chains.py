"""Chains and streams drawn by a seed, for the tests of fused chains."""

import numpy as np

from ranvier.channels import CommonReference, Scale
from ranvier.denoise import Bandpass, Highpass, Integrity, Lowpass, Notch
from ranvier.errors import ContractError
from ranvier.features import BandPower, BinnedCounts, Envelope, SpikeBandPower, Spikes
from ranvier.features._power import MovingPower
from ranvier.stream import Block

from .fused import stream

RATE = 1000
FEW = (1, 7, 24, 48, 64)
MANY = (1, 2, 3, 5, 8, 15, 16, 17, 24, 31, 32, 33, 40, 48, 63, 64, 72, 96, 100, 128, 130, 160, 192, 200)


def _pick(rng, options):
    return options[int(rng.integers(len(options)))]


def _filter(rng):
    return _pick(rng, [
        lambda: Scale(float(rng.uniform(0.1, 3.0))),
        lambda: Bandpass(float(rng.uniform(5, 80)), float(rng.uniform(100, 400)), int(rng.integers(1, 5))),
        lambda: Highpass(float(_pick(rng, [3.0, 10.0, 60.0])), int(rng.integers(1, 5))),
        lambda: Lowpass(float(rng.uniform(40, 450)), int(rng.integers(1, 5))),
        lambda: Notch(50.0, float(rng.uniform(1, 8)), int(rng.integers(1, 4))),
        lambda: Envelope(float(rng.uniform(0.002, 0.1))),
        lambda: CommonReference(by=_pick(rng, ["all", "group"]), least=int(_pick(rng, [2, 3, 9, 20]))),
        lambda: CommonReference(by=_pick(rng, ["all", "group"])),
    ])()  # fmt: skip


def _fits(stage, info):
    try:
        return stage.describe(info)
    except ContractError:
        return None


def _counts(rng, bin):
    spikes = Spikes(float(rng.uniform(1.5, 4.0)), float(_pick(rng, [0.001, 0.004])), float(_pick(rng, [0.02, 0.15])))
    return spikes | BinnedCounts(bin)


def _power(rng, bin):
    return _pick(rng, [
        lambda: SpikeBandPower(bin, _pick(rng, ["square", "abs"]), float(rng.uniform(0.05, 1.0))),
        lambda: MovingPower(bin * int(rng.integers(1, 9)), bin, float(rng.uniform(0.05, 1.0))),
        lambda: Bandpass(20.0, 90.0, 2) | SpikeBandPower(bin),
        lambda: BandPower(20.0, 90.0, 4 * bin, bin, log=bool(rng.integers(2))),
    ])()  # fmt: skip


def _end(rng):
    bin = float(_pick(rng, [0.001, 0.003, 0.02, 0.02, 0.05, 0.3]))
    kinds = ["signal", "signal", "events", "counts", "power", "counts & power", "powers", "counts & powers", "& signal"]
    kind = _pick(rng, kinds)
    if kind == "signal":
        return None
    if kind == "events":
        return Spikes(float(rng.uniform(1.5, 4.0)), 0.002, float(_pick(rng, [0.02, 0.15])))
    if kind == "counts":
        return _counts(rng, bin)
    if kind == "power":
        return _power(rng, bin)
    if kind == "counts & power":
        return _counts(rng, bin) & SpikeBandPower(bin, min_valid=float(rng.uniform(0.05, 1.0)))
    if kind == "powers":
        return _power(rng, bin) & _power(rng, bin) & SpikeBandPower(bin, "abs")
    if kind == "counts & powers":
        fork = _counts(rng, bin) & _power(rng, bin) & _power(rng, bin)
        return fork | Scale(0.5) if rng.random() < 0.5 else fork
    return SpikeBandPower(0.001) & _filter(rng) & (Envelope(0.01) | Scale(2.0))


def draw(rng, counts):
    """Draw a chain and the stream that it runs on."""
    dtype = _pick(rng, ["i2", "i4", "f4", "f4", "f8"])
    n = int(_pick(rng, counts))
    group = int(_pick(rng, [g for g in (16, 32, 64, n) if n % g == 0]))
    info = stream(n, RATE, dtype, group)
    chain = []
    if rng.random() < 0.6:
        rail, flat = _pick(rng, [None, 120.0]), _pick(rng, [None, 0.003])
        chain.append(Integrity(rail, flat, float(_pick(rng, [0.0, 0.05, 1.0]))))
    for _ in range(int(rng.integers(1, 5))):
        chain.append(_filter(rng))
        if _fits(_chained(chain), info) is None:
            chain.pop()
    end = _end(rng)
    if end is not None and _fits(_chained([*chain, end]), info) is not None:
        chain.append(end)
    return _chained(chain or [Scale(2.0)]), info


def _chained(stages):
    out = stages[0]
    for s in stages[1:]:
        out = out | s
    return out


def signal(rng, info, n):
    """Make noise with drift, spikes, flat stretches and rails."""
    shape = (n, info.n_channels)
    x = 20 * rng.standard_normal(shape) + np.cumsum(rng.standard_normal(shape), axis=0)
    x[rng.random(shape) < 0.01] -= 90
    for _ in range(6):
        a, c = int(rng.integers(n)), int(rng.integers(info.n_channels))
        x[a : a + int(rng.integers(2, 30)), c] = rng.choice([x[a, c], 500.0])
    return np.round(x).astype(info.dtype) if info.dtype.kind == "i" else x.astype(info.dtype)


def mask(rng, info, n):
    """Draw a mask: mostly well, with single cells, stretches, whole channels, whole groups and everything."""
    c = info.n_channels
    ok = np.ones((n, c), bool)
    for _ in range(int(rng.integers(1, 7))):
        a = int(rng.integers(n))
        kind = int(rng.integers(5))
        b = a + int(_pick(rng, [1, 3, 20, 200, 700] if kind < 3 else [1, 5, 20]))
        if kind == 0:
            ok[a:b] &= rng.random(ok[a:b].shape) > 0.02
        elif kind == 1:
            ok[a:b, int(rng.integers(c))] = False
        elif kind == 2:
            first = int(rng.integers(-(-c // 16))) * 16
            ok[a:b, first : first + 16] = False
        elif kind == 3:
            ok[a:b] = False
        else:
            ok[a:b, np.arange(c) != int(rng.integers(c))] = False
    return ok


def blocks(rng, info, n, gaps=3):
    """Draw a stream in pieces: lengths 0 to 700, jumps of the index, masks of every make, strange memory."""
    x, ok = signal(rng, info, n), mask(rng, info, n)
    if info.dtype.kind == "f" and info.name == "raw":
        x[rng.random(x.shape) < 0.002] = np.nan
        x[rng.random(x.shape) < 0.001] = np.inf
    lengths, total = [], 0
    while total < n:
        lengths.append(int(_pick(rng, [0, 1, 1, 2, 5, 16, 33, 64, 65, 128, 300, int(rng.integers(1, 701))])))
        total += lengths[-1]
    jumps = set(rng.integers(1, len(lengths), gaps).tolist()) if len(lengths) > gaps else set()
    shift, at, out = int(rng.integers(0, 5000)), 0, []
    for i, k in enumerate(lengths):
        k = min(k, n - at)
        if i in jumps:
            shift += int(_pick(rng, [1, 30, 60, 900, 5000, -1, -40]))
            shift = max(shift, -at)
        out.append(_dressed(rng, Block(x[at : at + k], at + shift, ok[at : at + k])))
        at += k
    return out


def _dressed(rng, b):
    """Put a block into memory of another make; the numbers stay the same."""
    data, valid = b.data, b.valid
    kind = int(rng.integers(6))
    if kind == 0 and b.n:
        wide = np.zeros((b.n, data.shape[1] + 3), data.dtype)
        wide[:, : data.shape[1]] = data
        data = wide[:, : data.shape[1]]
        data.flags.writeable = False
    elif kind == 1:
        data = np.asfortranarray(data)
    elif kind == 2:
        valid = np.asfortranarray(valid)
    elif kind == 3:
        data = np.repeat(data, 2, axis=1)[:, ::2]
    if valid.all():
        valid = [None, np.ones((b.n, 1), bool), valid.copy(), np.ones(data.shape[1], bool)][int(rng.integers(4))]
    elif (valid == valid[:, :1]).all():
        valid = valid[:, :1].copy()
    elif (valid == valid[:1]).all():
        valid = valid[:1].copy()
    return Block(data, b.start, valid)


def refilled(blocks, value):
    """Return the blocks with another number in all cells that are marked invalid."""
    out = []
    for b in blocks:
        data = b.data.copy()
        if data.dtype.kind == "i":
            value = np.iinfo(data.dtype).max if value > 0 else np.iinfo(data.dtype).min
        data[~b.valid] = value
        out.append(Block(data, b.start, b.valid))
    return out
