"""Protocol: what is asked of a pipeline, so exactly that others can ask it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ranvier.errors import ConfigError
from ranvier.evaluate._bench import steps_of
from ranvier.evaluate._leak import LeakRule
from ranvier.evaluate._peers import Follower, Peer
from ranvier.evaluate._scores import CONTINUOUS, METRICS
from ranvier.evaluate._speller import Speller
from ranvier.evaluate._splits import FixedSplit, KFold, Split, Streamed
from ranvier.evaluate._table import TrialRule
from ranvier.stage import Stage, Trainable


@dataclass(frozen=True, kw_only=True)
class Use:
    """Which recordings of a folder are meant: globs on whose they are; what is empty fits all."""

    subject: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    task: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TargetRule:
    """What a continuous decoder is to follow: channels of the recording, by name, kind or glob."""

    channels: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pipeline:
    """One pipeline of a protocol.

    Parameters
    ----------
    name
        What tables call it.
    what
        A recipe, a trainable, or a stage that needs no training.
    tmin, tmax
        Another part of the trials than the protocol's [s].
    """

    name: str
    what: Stage | Trainable
    tmin: float | None = None
    tmax: float | None = None

    @property
    def id(self) -> str:
        """Hash of the pipeline and of the part of the trials that it sees."""
        steps = [s.id if isinstance(s, Stage) else repr(s) for s in steps_of(self.what)]
        return _hash({"pipeline": steps, "tmin": self.tmin, "tmax": self.tmax})


@dataclass(frozen=True, eq=False, kw_only=True)
class PeerPipeline:
    """Another project's code on the same folds.

    Parameters
    ----------
    name
        What tables call it.
    what
        One of `ranvier.evaluate.PEERS`, with its parameters.
    tmin, tmax
        Another part of the trials than the protocol's [s].
    against
        Names of the pipelines that it is held against; all unless given.
    """

    name: str
    what: Peer | Follower
    tmin: float | None = None
    tmax: float | None = None
    against: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Hash of the peer, its parameters and its libraries' versions."""
        return _hash({"peer": type(self.what).__name__, "tmin": self.tmin, "tmax": self.tmax,
                      "libraries": self.what.versions(), **asdict(self.what)})  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Protocol:
    """What is asked: which trials, how they are split, what is scored, of which pipelines and peers.

    Parameters
    ----------
    name
        What tables call it.
    split
        `KFold`, `LeaveOut`, `FixedSplit`, `Untrained` or `Streamed`.
    trials
        Which events are trials; or
    targets
        what continuous decoders are to follow.
    pipelines, peers
        Who is asked.
    metric
        What rows are compared by.
    leak
        How far back a training sample is held to see.
    use
        Which recordings of a folder are meant.
    open
        Options of `record.open` for every recording.
    parts
        Where one file holds several recordings: entities and options of each.
    speller
        How letters are made of decisions.
    pause
        Time that a user needs between two decisions, counted in bits per minute [s].
    cuts
        Block lengths for which streamed decisions are held against offline ones [samples].
    seed
        Of the bootstrap.
    """

    name: str
    split: Split
    trials: TrialRule | None = None
    targets: TargetRule | None = None
    pipelines: tuple[Pipeline, ...] = ()
    peers: tuple[PeerPipeline, ...] = ()
    metric: str = "accuracy"
    leak: LeakRule = field(default_factory=LeakRule)
    use: Use = field(default_factory=Use)
    open: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Mapping[str, Any], ...] = ()
    speller: Speller | None = None
    pause: float = 0.0
    cuts: tuple[int, ...] = (1, 37, 256)
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.trials is None) == (self.targets is None):
            raise ConfigError(f"protocol {self.name!r} needs either trials or targets. Write [trials] or [targets].")
        continuous = self.targets is not None
        if self.metric not in METRICS or (self.metric in CONTINUOUS) != continuous:
            fit = ", ".join(m for m in METRICS if (m in CONTINUOUS) == continuous)
            raise ConfigError(f"metric needs one of {fit}; got {self.metric!r}. Mend the name.")
        if continuous and not isinstance(self.split, FixedSplit | KFold):
            raise ConfigError(
                f"split.kind needs to be fixed or kfold for targets; got {self.split.kind!r}. Continuous decoders are "
                "split by time."
            )
        if self.peers and isinstance(self.split, Streamed):
            raise ConfigError("peer needs a split that can be run on epochs; got streamed. Leave the peers out.")
        if not self.pipelines and not self.peers:
            raise ConfigError(f"protocol {self.name!r} needs a pipeline. Write [[pipeline]].")
        names = [p.name for p in self.asked]
        if twice := [n for n in names if names.count(n) > 1]:
            raise ConfigError(f"pipeline.name needs to differ; got {twice[0]!r} twice. Rename one.")
        for peer in self.peers:
            if unknown := [n for n in peer.against if n not in [p.name for p in self.pipelines]]:
                raise ConfigError(f"peer.against needs names of pipelines; got {unknown[0]!r}. Mend the name.")

    @property
    def asked(self) -> tuple[Pipeline | PeerPipeline, ...]:
        """Pipelines, then peers."""
        return (*self.pipelines, *self.peers)

    @property
    def id(self) -> str:
        """Hash of what is asked, not of whom."""
        return _hash(
            {
                "name": self.name, "split": {"kind": self.split.kind, **asdict(self.split)},
                "trials": asdict(self.trials) if self.trials else None,
                "targets": asdict(self.targets) if self.targets else None,
                "metric": self.metric, "leak": asdict(self.leak), "use": asdict(self.use),
                "open": dict(self.open), "parts": [dict(p) for p in self.parts],
                "speller": asdict(self.speller) if self.speller else None, "pause": self.pause, "seed": self.seed,
            }
        )  # fmt: skip


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
