"""What cleaning costs: 64 channels of EEG, judged, referenced, freed of mains and of artefacts while they come."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import pi, sqrt
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ranvier.channels import BadChannels, RobustReference
from ranvier.denoise import ASR, Integrity, LineNoise, SubspaceReconstruction
from ranvier.evaluate.bench._data import EEG_RATE, make_eeg
from ranvier.evaluate.bench._machine import Watch, machine
from ranvier.evaluate.bench._options import Options
from ranvier.evaluate.bench._timing import Contender, Push, in_turns, most_turns, part_length
from ranvier.stage import Chain, Recipe, Run, Stage, Stream
from ranvier.stream import Block, Channels, StreamInfo, Trials

Array = npt.NDArray[Any]
BLOCKS_MS = (10.0, 100.0)
CHANNELS, RADIUS = 64, 0.09  # m
CALIBRATION = 60.0  # s
MAINS = 50.0  # Hz
BLINK, EVERY = 200.0, 2.0  # uV at the front, s
HUM, DEAD = 300.0, 3  # uV of mains on one electrode that has come off; which
GRAIN = EEG_RATE  # samples: what the slowest stage does once, the judge


def front() -> Chain:
    """Return the chain up to what has to be calibrated."""
    return cast(Chain, Integrity() | BadChannels(mains=MAINS) | RobustReference() | LineNoise(MAINS))


def describe(channels: int) -> StreamInfo:
    """Return electrodes spread evenly over the upper half of a head."""
    k = np.arange(channels)
    z = (k + 0.5) / channels
    angle, level = pi * (3 - sqrt(5)) * k, np.sqrt(1 - z**2)
    places = RADIUS * np.stack([np.cos(angle) * level, np.sin(angle) * level, z], axis=1)
    names = [f"E{i}" for i in k]
    return StreamInfo.signal(EEG_RATE, Channels.of(names, "eeg", "uV", [(x, y, z) for x, y, z in places.tolist()]))


def broken(x: Array, info: StreamInfo) -> Array:
    """Return the same with a blink every 2 s, and one electrode that has come off."""
    places = np.array(info.channels.positions, float)
    reach = np.exp(-np.sum((places - [0.0, RADIUS, 0.0]) ** 2, axis=1) / (2 * 0.04**2))
    t = np.arange(len(x)) / EEG_RATE
    out = x + BLINK * np.exp(-((((t + 1) % EVERY) - 1) ** 2) / (2 * 0.06**2))[:, None] * reach
    out[:, DEAD] += HUM * np.sin(2 * pi * MAINS * t)
    return cast(Array, out.astype(np.float32))


def fitted(x: Array, info: StreamInfo) -> Stage:
    """Return what replaces artefacts, calibrated on clean samples behind the rest of the chain."""
    run = Run(front(), info)
    blocks = [run.push(Block(x[a : a + EEG_RATE], a)) for a in range(0, len(x), EEG_RATE)]
    whole = Trials(
        onset=np.array([0]), label=np.array(["rest"]), group=np.array(["0"]), recording=np.zeros(1, np.int64),
        tmin=10.0, tmax=len(x) / EEG_RATE - 1, rate=Fraction(EEG_RATE),
    )  # fmt: skip
    return Recipe((ASR(),)).fit_streams([Stream(run.info, [b for b in blocks if b.n])], whole)


def clean(options: Options, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure every stage alone, and all of them in a row, on clean and on broken signal."""
    channels = options.channels or CHANNELS
    seconds = max(options.seconds * 8, 2 * GRAIN / EEG_RATE * (options.turns + 1))
    _, notes = options.usable_peers({}, usual=())
    watch = Watch()
    tell(f"making {CALIBRATION + seconds:g} s of {channels} channels, calibrating")
    info = describe(channels)
    made = make_eeg(channels, CALIBRATION + seconds, options.seed).potentials
    n = int(CALIBRATION * EEG_RATE)
    asr, x = fitted(made[:n], info), np.ascontiguousarray(made[n:])
    bad = broken(x, info)
    rows: list[dict[str, Any]] = []
    for ms, block in options.blocks(BLOCKS_MS, EEG_RATE):
        tell(f"blocks of {ms:g} ms")
        runners = contenders(info, asr, bad)
        turns = most_turns(len(x), block, options.turns, GRAIN)
        timings = in_turns(runners, x, block, turns, GRAIN)
        samples = part_length(len(x), block, turns, GRAIN)
        rows += [
            {"who": c.name, "channels": channels, "block_ms": ms, "input": c.note,
             **timings[c.name].row(samples, channels, EEG_RATE), **promised(c.name, info, asr)} for c in runners
        ]  # fmt: skip
    return {
        "kind": "clean", "rows": rows, "notes": notes, "busy": watch.said(), "machine": machine(), "seed": options.seed,
    }  # fmt: skip


def stages(asr: Stage) -> dict[str, Stage]:
    """Return every stage by name, then all in a row."""
    each = (*front().stages, asr)
    return {type(s).__name__: s for s in each} | {"all of them": cast(Stage, front() | asr)}


def contenders(info: StreamInfo, asr: Stage, bad: Array) -> list[Contender]:
    """Return what is timed: each alone, all on clean signal, all on broken signal."""
    known = stages(asr)
    alone = [Contender(name, lambda s=s: _push(s, info), note="clean") for name, s in known.items()]
    hurt = [
        Contender(f"{name}, broken", lambda s=known[name]: _push(s, info), note="broken", data=bad)  # type: ignore[misc]
        for name in (SubspaceReconstruction.__name__, "all of them")
    ]
    return [*alone, *hurt]


def _push(stage: Stage, info: StreamInfo) -> Push:
    run = Run(stage, info)
    return lambda x, start: run.step(Block(x, start))


def promised(name: str, info: StreamInfo, asr: Stage) -> dict[str, float]:
    """Return what a stage adds to delay and settling time [s]."""
    out = cast(StreamInfo, stages(asr)[name.removesuffix(", broken")].describe(info))
    return {"delay_s": float(out.delay), "settle_s": out.settle / float(info.rate)}
