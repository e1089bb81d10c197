"""The EEG job: two classes decided on every 100 ms from the covariance of the last second, beside others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ranvier.channels import CommonReference
from ranvier.decode import Linear, LogisticRegression, TangentProjection, TangentSpace
from ranvier.denoise import Bandpass, Notch
from ranvier.evaluate.bench._data import EEG, EEG_RATE, TRIAL, make_eeg
from ranvier.evaluate.bench._ezmsg import PACKAGES as EZMSG
from ranvier.evaluate.bench._ezmsg import EzmsgEEG
from ranvier.evaluate.bench._machine import Watch, machine
from ranvier.evaluate.bench._options import Options, same
from ranvier.evaluate.bench._profile import profile
from ranvier.evaluate.bench._pyriemann import PACKAGES as PYRIEMANN
from ranvier.evaluate.bench._pyriemann import PyRiemannDecision
from ranvier.evaluate.bench._scipy import ScipyEEG
from ranvier.evaluate.bench._timing import Contender, Push, Timing, in_turns, most_turns, part_length
from ranvier.features import Covariance
from ranvier.stage import Chain, Recipe, Run, Stage, Stream
from ranvier.stream import Block, Channels, StreamInfo, Trials

Array = npt.NDArray[Any]
BLOCKS_MS = (10.0, 100.0)
CHANNELS = 64
LENGTH, HOP = 1.0, 0.1  # s
MAINS, QUALITY = 50.0, 30.0  # Hz, 1
BAND = (8.0, 30.0)  # Hz
TRAINING = 48.0  # s
CHECKED = 8.0  # s over which outputs are compared before anything is timed
SETTLED = 4.0  # s after which they are: ours primes the band-pass when the notch has settled, the others at once
PEERS: dict[str, tuple[str, ...]] = {"scipy": ("scipy", *PYRIEMANN), "ezmsg": (*EZMSG, *PYRIEMANN)}


def front() -> Stage:
    """Return the pipeline up to the covariance, as a user writes it."""
    return cast(Stage, Notch(MAINS, QUALITY) | Bandpass(*BAND) | CommonReference() | Covariance(LENGTH, HOP))


@dataclass(frozen=True, eq=False)
class Job:
    """What everybody needs to do it.

    Parameters
    ----------
    info, x
        The stream, and samples of it that the decoder has not seen.
    ours
        The fitted pipeline.
    truth
        Label of each trial of 4 s in `x`.
    """

    info: StreamInfo
    x: Array
    ours: Chain
    truth: Array = field(default_factory=lambda: np.empty(0, np.str_))

    @classmethod
    def of(cls, channels: int, seconds: float, seed: int) -> Job:
        """Make data, fit on its beginning, keep the rest."""
        made = make_eeg(channels, TRAINING + seconds, seed)
        info = StreamInfo.signal(EEG_RATE, Channels.of(channels, "eeg"))
        n = int(TRAINING * EEG_RATE)
        recipe = front() | TangentSpace("euclid") | LogisticRegression()  # which mean changes nothing in what runs
        run = Run(front(), info)
        blocks = [run.push(Block(made.potentials[a : a + 1000], a)) for a in range(0, n, 1000)]
        tail = Recipe(recipe.steps[-2:]).fit_streams([Stream(run.info, [b for b in blocks if b.n])], _trials(made, n))
        return cls(info, made.potentials[n:], front() | tail, made.label[made.onset >= n])

    @property
    def decision(self) -> Callable[[Array], Array]:
        """The peers' decision: what ours has learned, run by pyRiemann."""
        *_, projection, linear = self.ours.stages
        return PyRiemannDecision(cast(TangentProjection, projection), cast(Linear, linear))


def _trials(made: EEG, n: int) -> Trials:
    mine = made.onset + TRIAL * EEG_RATE <= n
    empty = np.zeros(int(mine.sum()), np.int64)
    return Trials(
        onset=made.onset[mine], label=made.label[mine], group=empty.astype(np.str_), recording=empty,
        tmin=0.5, tmax=float(TRIAL), rate=Fraction(EEG_RATE),
    )  # fmt: skip


def _scipy(job: Job) -> Push:
    from scipy.signal import butter, iirnotch, tf2sos

    sections = np.concatenate([
        tf2sos(*iirnotch(MAINS, QUALITY, fs=EEG_RATE)), butter(4, BAND, "band", fs=EEG_RATE, output="sos"),
    ])  # fmt: skip
    return ScipyEEG(sections, round(LENGTH * EEG_RATE), round(HOP * EEG_RATE), job.decision)


def _ezmsg(job: Job) -> Push:
    return EzmsgEEG(EEG_RATE, job.info.n_channels, MAINS, QUALITY, BAND, LENGTH, HOP, job.decision)


def _ours(job: Job) -> Push:
    run = Run(job.ours, job.info)
    return lambda x, start: run.step(Block(x, start))


def contenders(job: Job, peers: list[str]) -> list[Contender]:
    """Return ours, then the peers."""
    known = {
        "scipy": Contender("scipy + pyriemann", lambda: _scipy(job)),
        "ezmsg": Contender(
            "ezmsg-sigproc + pyriemann", lambda: _ezmsg(job), note="transformers called directly, without its graph"
        ),
    }
    return [Contender("ranvier", lambda: _ours(job)), *[known[p] for p in peers]]


def decisions(push: Push, x: Array, block: int) -> Array:
    """Run a peer over samples and return its scores, one row a window."""
    return np.array([o for a in range(0, len(x), block) for o in push(x[a : a + block], a)])


def verify(job: Job, peers: list[str], block: int) -> list[dict[str, Any]]:
    """Compare scores of everybody with ours; refuse what does not agree."""
    x = job.x[: int(CHECKED * EEG_RATE)]
    run = Run(job.ours, job.info)
    blocks = [run.push(Block(x[a : a + block], a)) for a in range(0, len(x), block)]
    ours = np.concatenate([b.data for b in blocks])
    late = slice(round((SETTLED - LENGTH) / HOP), None)
    rows = []
    for peer in peers:
        theirs = decisions(_scipy(job) if peer == "scipy" else _ezmsg(job), x, block)
        same("the number of decisions", abs(len(theirs) - len(ours)), 0)
        apart = same("scores", float(np.abs(theirs - ours)[late].max()), 1e-4)
        rows.append({"peer": peer, "block": block, "scores": apart, "windows": len(ours[late])})
    return rows


def accuracy(job: Job) -> float:
    """Return the share of windows inside trials, of those not trained on, that are decided rightly."""
    run = Run(job.ours, job.info)
    out = run.push(Block(job.x, 0))
    newest = np.array([run.info.origin.newest(k) for k in range(out.start, out.stop)])
    trial, into = newest // (TRIAL * EEG_RATE), newest % (TRIAL * EEG_RATE)
    inside = (into >= LENGTH * EEG_RATE + 499) & (trial < len(job.truth)) & out.valid.all(axis=1)
    names = np.array(run.info.channels.names)
    return float((names[out.data[inside].argmax(axis=1)] == job.truth[trial[inside]]).mean())


def _decide_us(timing: Timing, block: int) -> float:
    """Return the median wall time of the blocks that end with a decision [us]."""
    hop = round(HOP * EEG_RATE)
    at = (np.arange(1, len(timing.blocks[0]) + 1) * block) % hop < block
    return float(np.median(np.concatenate([b[at] for b in timing.blocks])) * 1e6)


def eeg(options: Options, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure the EEG job."""
    channels = options.channels or CHANNELS
    seconds = max(options.seconds * 8, CHECKED)  # it is so quick that a second says nothing
    peers, missing = options.usable_peers(PEERS)
    watch = Watch()
    tell(f"making {TRAINING + seconds:g} s of {channels} channels, fitting the decoder")
    job = Job.of(channels, seconds, options.seed)
    rows, checks = [], []
    for ms, block in options.blocks(BLOCKS_MS, EEG_RATE):
        tell(f"blocks of {ms:g} ms: comparing outputs")
        checks += verify(job, peers, block)
        tell(f"blocks of {ms:g} ms: timing")
        runners = contenders(job, peers)
        grain = round(HOP * EEG_RATE)
        turns = most_turns(len(job.x), block, options.turns, grain)
        timings = in_turns(runners, job.x, block, turns, grain)
        samples = part_length(len(job.x), block, turns, grain)
        for c in runners:
            t = timings[c.name]
            rows.append({
                "who": c.name, "channels": channels, "block_ms": ms, **t.row(samples, channels, EEG_RATE),
                "decide_us": _decide_us(t, block), "times_ours": t.ratio(timings["ranvier"]), "lacks": c.lacks,
            })  # fmt: skip
    found = {
        "rows": rows, "checks": checks, "accuracy": accuracy(job), "busy": watch.said(),
        "machine": machine(*dict.fromkeys(package for p in peers for package in PEERS[p])), "seed": options.seed,
    }  # fmt: skip
    if options.profile:
        found["profile"] = []
        for ms, block in options.blocks(BLOCKS_MS, EEG_RATE):
            tell(f"blocks of {ms:g} ms: profile")
            blocks = [Block(job.x[a : a + block], a) for a in range(0, len(job.x) // block * block, block)]
            found["profile"] += [{"block_ms": ms, **r} for r in profile(job.ours, job.info, blocks)]
    found["notes"] = [*missing, *[f"{c.name}: {c.note}" for c in contenders(job, peers) if c.note]]
    return found
