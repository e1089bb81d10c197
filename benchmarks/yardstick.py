"""Our loop beside the same algorithm in C (benchmarks/implant.c): python benchmarks/yardstick.py [--json] ...

The features must be the same to the bit before anything is timed. Everybody runs over the same blocks on one core in
turns; CPU time of the thread, medians over the turns. Needs gcc (or $CC); without one it says so and does nothing.
"""

import argparse
import ctypes
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ranvier.evaluate.bench import markdown
from ranvier.evaluate.bench._implant_job import BIN, RATE, Job, front, loop_of
from ranvier.evaluate.bench._machine import Watch, limits, machine
from ranvier.evaluate.bench._timing import Contender, in_turns, most_turns, part_length
from ranvier.kernels._states import address
from ranvier.stage import Run
from ranvier.stream import Block

SOURCE = Path(__file__).with_name("implant.c")
FLAGS = "-O3 -march=native -std=c11 -ffp-contract=off -fno-strict-aliasing -shared -fPIC"
BLOCKS = (30, 150, 600)
LEAD = 3.0  # s that we run alone first: from then on everything is settled
GRAIN = round(BIN * RATE)
ROWS = "gain k z threshold before noise part ring free number estimates total turns".split()
KINDS = {"free": np.int64, "number": np.int32, "estimates": np.int32, "total": np.float64, "turns": np.int64}


class Implant(ctypes.Structure):
    """struct implant."""

    _fields_ = [
        *[(n, ctypes.c_int64) for n in ("channels", "row", "stride", "refractory", "bin", "least")],
        *[(n, ctypes.c_double) for n in ("factor", "weight")],
        *[(n, ctypes.c_void_p) for n in ROWS],
    ]


def compiler():
    """Return the command of a C compiler, or None."""
    found = shlex.split(os.environ.get("CC", "")) or ["gcc"]
    return found if shutil.which(found[0]) else None


def version():
    """Return what the compiler says it is."""
    return subprocess.run([*compiler(), "--version"], capture_output=True, text=True).stdout.partition("\n")[0]


def build(folder, flags=()):
    """Compile the yardstick; return its function."""
    made = Path(folder) / "implant.so"
    subprocess.run([*compiler(), *FLAGS.split(), *flags, str(SOURCE), "-o", str(made), "-lm"], check=True)
    function = ctypes.CDLL(str(made)).implant
    function.restype = ctypes.c_int64
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p]
    return function


def aligned(values, kind):
    """Return a copy that begins with a cache line."""
    values = np.asarray(values, kind)
    room = np.zeros(values.nbytes + 64, np.uint8)
    first = -room.ctypes.data % 64
    out = room[first : first + values.nbytes].view(kind).reshape(values.shape)
    out[...] = values
    return out


def apart(rows):
    """Return rows with 16 places between them."""
    return np.pad(np.stack(list(rows)), ((0, 0), (0, 16)))


class InC:
    """The job in C, from a state of our run on.

    Parameters
    ----------
    function
        What `build` returned.
    run
        Of `front()` on an implant of whole amplifiers of 64 channels, settled and without anything masked.
    """

    def __init__(self, function, run):
        loop = loop_of(run)  # for what Spikes and Bandpass were designed to
        first, _, last = loop.program.spine
        (_, spikes), _ = loop.program.ends
        n = loop.program.n_channels
        (scale,), rows = first.coefficients("f4", n), last.coefficients("f4", n)
        state = run.save()
        self.arrays = {
            "gain": apart([scale, rows[0]]),
            "k": apart([rows[1 + 4 * i + j] for i in range(4) for j in range(2)]),
            "z": apart(state["2/stage/f4"]),
            **{k: state[f"3/0/0/stage/{k}"] for k in "threshold before free ring noise estimates".split()},
            "number": state["3/0/1/number"],
            **{k: state[f"3/1/stage/{k}"] for k in ("part", "total")},
            "turns": np.arange(n // 16) * spikes.step % spikes.heard,
        }
        self.arrays = {k: aligned(v, KINDS.get(k, np.float32)) for k, v in self.arrays.items()}
        self.rows = aligned(np.zeros((4, 2 * n)), np.float32)
        self.struct = Implant(
            n, n + 16, spikes.stride, spikes.refractory, spikes.bin, spikes.least, spikes.factor, spikes.weight,
            *[self.arrays[k].ctypes.data for k in ROWS],
        )  # fmt: skip
        self._at, self._out, self._function = ctypes.addressof(self.struct), self.rows.ctypes.data, function

    def __call__(self, x, start):
        made = self._function(self._at, address(x), x.strides[0] // 2, len(x), start, self._out)
        return self.rows[:made]


class Ours:
    """Our ways: the compiled loop alone, a run of the front, a run of all with the decoder."""

    def __init__(self, stage, info, lead):
        self.run = Run(stage, info)
        for a in range(0, len(lead), GRAIN):
            self.run.step(Block(lead[a : a + GRAIN], a))

    def loop(self):
        loop = loop_of(self.run)
        n = loop.program.n_channels
        masks = {}

        def push(x, start):
            if len(x) not in masks:
                masks[len(x)] = np.broadcast_to(np.True_, (len(x), n))
            return loop(x, masks[len(x)], start)

        return push

    def step(self):
        return lambda x, start: self.run.step(Block(x, start))


def verify(function, job, block, seconds=2.0):
    """Return how many rows of features are the same to the bit; stop where they are not."""
    lead, rest = split(job)
    ours = Ours(front(), job.info, lead)
    c = InC(function, ours.run)
    mine, theirs = [], []
    for a in range(0, min(len(rest), int(seconds * RATE)), block):
        x, start = rest[a : a + block], len(lead) + a
        mine.append(ours.run.step(Block(x, start)).data.copy())
        theirs.append(c(x, start).copy())
    mine, theirs = np.concatenate(mine), np.concatenate(theirs)
    counts = mine[:, : mine.shape[1] // 2]
    if mine.tobytes() != theirs.tobytes() or not counts.sum():
        wrong = np.argwhere(mine != theirs) if mine.shape == theirs.shape else [mine.shape, theirs.shape]
        sys.exit(f"C and we differ in blocks of {block}: {len(wrong)} features, first {wrong[:4]}")
    return len(mine)


def split(job):
    lead = round(LEAD * RATE) // GRAIN * GRAIN
    return job.counts[:lead], job.counts[lead:]


def measure(function, job, block, turns, limit):
    """Return rows: C, the loop alone, the front, the whole pipeline."""
    lead, rest = split(job)
    at = len(lead)

    def shifted(push):
        return lambda x, start: push(x, at + start)

    contenders = [
        Contender("C", lambda: shifted(InC(function, Ours(front(), job.info, lead).run))),
        Contender("the loop alone", lambda: shifted(Ours(front(), job.info, lead).loop())),
        Contender("Run of the front", lambda: shifted(Ours(front(), job.info, lead).step())),
        Contender("Run with the decoder", lambda: shifted(Ours(job.whole, job.info, lead).step())),
    ]
    turns = most_turns(len(rest), block, turns, GRAIN)
    timings = in_turns(contenders, rest, block, turns, GRAIN)
    samples = part_length(len(rest), block, turns, GRAIN)
    rows = []
    for name, timing in timings.items():
        row = timing.row(samples, job.info.n_channels, RATE)
        of_limit = limit["implant_ns"] / row["ns_per_sample"]
        times = timing.ratio(timings["C"])
        rows.append({"who": name, "block_ms": 1000 * block / RATE, "times_c": times, "of_limit": of_limit, **row})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--channels", type=int, default=1024)
    parser.add_argument("--blocks", type=lambda s: [int(v) for v in s.split(",")], default=BLOCKS, help="samples")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if compiler() is None:
        sys.exit("yardstick needs gcc, or another compiler in $CC; found none, so there is nothing to compare with")
    watch, limit = Watch(), limits()
    job = Job.of(given.channels, LEAD + max(given.seconds, 2.0), given.seed)
    with tempfile.TemporaryDirectory() as folder:
        function = build(folder)
        checked = [verify(function, job, block) for block in given.blocks]
        rows = [row for block in given.blocks for row in measure(function, job, block, given.turns, limit)]
    found = {
        "name": "c", "kind": "c", "rows": rows, "limits": limit, "busy": watch.said(), "seed": given.seed,
        "machine": {**machine(), "compiler": version()},
        "notes": [
            f"Features the same to the bit in {', '.join(map(str, checked))} bins of 20 ms, before timing.",
            f"Limit: {limit['fma_gflops']:.0f} GFLOP/s, {limit['implant_ns']:.3f} ns a sample and channel.",
        ],
    }  # fmt: skip
    print(json.dumps(found) if given.json else markdown(found))


if __name__ == "__main__":
    main()
