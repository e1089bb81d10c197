"""How the cost of a sample grows with channels, blocks and stages: python benchmarks/growth.py OUT.json [FIGURE.svg].

With one argument the figure is left out; with --draw, only the figure is made, of what OUT.json holds. CPU time of
one thread, medians over turns, blocks in the caches. Drawing needs matplotlib.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfilt

from ranvier.denoise import Bandpass
from ranvier.evaluate.bench._data import GROUP, MICROVOLTS, NOISE, RATE, make_implant
from ranvier.evaluate.bench._implant_job import BAND, BIN, REFRACTORY, SIGMAS, describe, front
from ranvier.evaluate.bench._machine import Watch, machine
from ranvier.evaluate.bench._scipy import ScipyImplant
from ranvier.evaluate.bench._timing import quiet
from ranvier.stage import Chain, Run
from ranvier.stream import Block, Channels, StreamInfo

CHANNELS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
BLOCKS = (1, 2, 5, 10, 20, 30, 60, 150, 300, 600)  # samples
STAGES = tuple(range(1, 13))
SCIPY = {"channels": (64, 1024, 4096), "block": (1, 30, 600), "stages": (1, 4, 8, 12)}
USUAL = {"channels": 1024, "block": 30, "stages": 4}
SEED = 2026
TURNS = 5
LEAST = 0.02  # s of CPU time a turn
BYTES = 4 << 20  # of blocks that are used again and again: in the caches as long as they fit
ROOM = 16  # numbers between rows, so that they are not a power of two apart


def blocks_of(counts, channels, block, kind=np.int16):
    """Return blocks of so many channels; those that are not there are the first again."""
    size = np.dtype(kind).itemsize
    many = min(max(BYTES // (channels * block * size), 2), len(counts) // block)
    wide = np.zeros((many * block, channels + ROOM), kind)[:, :channels]
    for first in range(0, channels, counts.shape[1]):
        part = wide[:, first : first + counts.shape[1]]
        part[...] = counts[: len(part), : part.shape[1]]
    return [wide[i * block : (i + 1) * block] for i in range(many)]


def cost(steps, blocks):
    """Return ns a sample and channel of each function of (block, start): medians of turns."""
    block, channels = blocks[0].shape
    at, repeats = [0] * len(steps), []
    for k, step in enumerate(steps):  # warm, and see how often it goes into a turn
        begin = time.thread_time_ns()
        calls = 0
        while calls < 3 or (at[k] < RATE // 3 and time.thread_time_ns() - begin < 20 * LEAST * 1e9):
            step(blocks[calls % len(blocks)], at[k])
            at[k] += block
            calls += 1
        repeats.append(max(int(LEAST * 1e9 * calls / (time.thread_time_ns() - begin)), 3))
    took = [[] for _ in steps]
    for _ in range(TURNS):
        for k, step in enumerate(steps):
            begin = time.thread_time_ns()
            for i in range(repeats[k]):
                step(blocks[i % len(blocks)], at[k])
                at[k] += block
            took[k].append((time.thread_time_ns() - begin) / repeats[k] / block / channels)
    return [float(np.median(t)) for t in took]


def runs(stage, info):
    """Return the stage as one loop, and stage by stage."""
    found = []
    for fuse in ("1", "0"):
        os.environ["RANVIER_FUSE"] = fuse
        run = Run(stage, info)
        found.append(lambda x, start, run=run: run.step(Block(x, start)))
    del os.environ["RANVIER_FUSE"]
    return found


def implant(counts, channels, block, with_scipy):
    """Return the cost of the implant job's front: fused, stage by stage, and SciPy's way."""
    steps = runs(front(), describe(channels))
    if with_scipy:  # its threshold is given
        lengths = round(REFRACTORY * RATE), round(BIN * RATE)
        steps.append(ScipyImplant(RATE, MICROVOLTS, min(GROUP, channels), BAND, *lengths, -SIGMAS * NOISE, None))
    return cost(steps, blocks_of(counts, channels, block))


def sections(counts, many, with_scipy):
    """Return the cost of a chain of band-passes of one section, float32, 1,024 channels."""
    info = StreamInfo.signal(RATE, Channels.of(USUAL["channels"], "spikes", "uV"), dtype=np.float32)
    bands = [(300 + 40 * i, 5000 + 80 * i) for i in range(many)]
    stages = [Bandpass(*band, order=1) for band in bands]
    steps = runs(Chain(tuple(stages)) if many > 1 else stages[0], info)
    if with_scipy:
        sos = np.concatenate([butter(1, b, "band", fs=RATE, output="sos") for b in bands]).astype(np.float32)
        state = np.zeros((len(sos), 2, USUAL["channels"]), np.float32)

        def peer(x, start):
            _, state[...] = sosfilt(sos, x, axis=0, zi=state)

        steps.append(peer)
    return cost(steps, blocks_of(counts, USUAL["channels"], USUAL["block"], np.float32))


def measure(tell=print):
    """Return the points of three curves."""
    watch = Watch()
    counts = make_implant(USUAL["channels"], 1.0, SEED).counts
    points = []

    def point(curve, at, found):
        points.append({"curve": curve, "at": at, **dict(zip(("fused", "plain", "scipy"), found, strict=False))})
        tell(points[-1])

    with quiet():
        for n in CHANNELS:
            point("channels", n, implant(counts, n, USUAL["block"], n in SCIPY["channels"]))
        for n in BLOCKS:
            point("block", n, implant(counts, USUAL["channels"], n, n in SCIPY["block"]))
        for n in STAGES:
            point("stages", n, sections(counts, n, n in SCIPY["stages"]))
    return {
        "name": "growth", "kind": "growth", "rows": summary(points), "points": points, "notes": [],
        "busy": watch.said(), "machine": machine("scipy"), "seed": SEED,
    }  # fmt: skip


def summary(points):
    """Return a row a curve and way."""
    rows = []
    titles = {
        "channels": "channels, 30 samples a block",
        "block": "samples a block, 1,024 channels",
        "stages": "stages",
    }
    for curve, title in titles.items():
        for way, text in (("fused", ""), ("plain", ", stage by stage"), ("scipy", ", SciPy")):
            mine = [(p["at"], p[way]) for p in points if p["curve"] == curve and way in p]
            (first_at, first), (last_at, last), (least_at, least) = mine[0], mine[-1], min(mine, key=lambda m: m[1])
            rows.append({
                "what": title + text, "first_at": first_at, "first": first, "last_at": last_at, "last": last,
                "least_at": least_at, "least": least,
            })  # fmt: skip
    return rows


def draw(found, figure):
    """Draw the three curves."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "ranvier", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3})
    from matplotlib import pyplot as plt

    heads = {"channels": "channels (30 samples a block)", "block": "samples a block (1,024 channels)",
             "stages": "band-passes in a row (1,024 channels)"}  # fmt: skip
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    for ax, (curve, head) in zip(axes, heads.items(), strict=True):
        for way, text, style in (
            ("fused", "one loop", "o-"),
            ("plain", "stage by stage", "s--"),
            ("scipy", "SciPy", "^:"),
        ):
            mine = [(p["at"], p[way]) for p in found["points"] if p["curve"] == curve and way in p]
            ax.plot(*zip(*mine, strict=True), style, ms=3.5, lw=1.2, label=text)
        ax.set(xlabel=head, yscale="log", xscale="linear" if curve == "stages" else "log")
    axes[0].set_ylabel("CPU time, ns a sample and channel")
    axes[0].legend(frameon=False)
    fig.savefig(figure, metadata={"Date": None})


def main(args):
    names = [a for a in args if a != "--draw"]
    if not names:
        sys.exit(__doc__)
    out = Path(names[0])
    found = json.loads(out.read_text()) if "--draw" in args else measure(lambda p: print(p, file=sys.stderr))
    if "--draw" not in args:
        out.write_text(json.dumps(found))
    if len(names) > 1:
        draw(found, names[1])


if __name__ == "__main__":
    if not sys.argv[1:] or {"-h", "--help"} & {*sys.argv[1:]}:
        sys.exit(__doc__)
    main(sys.argv[1:])
