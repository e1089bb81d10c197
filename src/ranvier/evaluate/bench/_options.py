"""What a benchmark may be told, and how it speaks of what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ranvier.errors import ConfigError, RanvierError
from ranvier.evaluate.bench._machine import versions

PEERS = ("scipy", "ezmsg", "brainflow", "spikeinterface", "pipe", "queue", "pyzmq", "pylsl", "redis", "zarr", "tiledb")
MOST = {"channels": 2**20, "turns": 10_000, "cores": 1024, "seconds": 3600, "block_ms": 1000}
USUAL = ("scipy", "ezmsg")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Sizes of a benchmark; None takes what docs/benchmarks.md shows.

    Parameters
    ----------
    channels
        How many.
    block_ms
        Lengths of the blocks [ms], one table row each.
    seconds
        Data that everything runs over, in all turns together [s].
    peers
        Who does the same job beside us; None for those that the benchmark usually has. Those that are not installed
        are named in the notes.
    cores
        How many threads our engine may use.
    turns
        How often everybody is timed, in turns.
    seed
        Of the data.
    masked
        Whether the implant job also runs with `Integrity` in front and 1 % of the samples invalid.
    profile
        Whether to say which of our stages takes how long.
    """

    channels: int | None = None
    block_ms: tuple[float, ...] | None = None
    seconds: float = 5.0
    peers: tuple[str, ...] | None = None
    cores: int = 1
    turns: int = 7
    seed: int = 20_26
    masked: bool = True
    profile: bool = True

    def __post_init__(self) -> None:
        sizes = [("channels", self.channels), ("turns", self.turns), ("cores", self.cores), ("seconds", self.seconds)]
        for name, value in (*sizes, *[("block_ms", b) for b in self.block_ms or ()]):
            if value is not None and not value > 0:
                raise ConfigError(f"bench needs {name} > 0; got {name}={value:g}. Make it larger.")
            if value is not None and not value <= MOST[name]:
                raise ConfigError(f"bench needs {name} <= {MOST[name]:,}; got {name}={value:g}. Make it smaller.")
        strange = [p for p in self.peers or () if p not in PEERS]
        if strange:
            raise ConfigError(f"bench needs peers among {', '.join(PEERS)}; got {', '.join(strange)}. Mend the names.")

    def blocks(self, usual: Sequence[float], rate: float) -> list[tuple[float, int]]:
        """Return lengths of blocks in ms and in samples."""
        out = []
        for ms in self.block_ms or usual:
            n = ms * rate / 1000
            if n != round(n):
                raise ConfigError(
                    f"bench needs blocks of whole samples; got {ms:g} ms, {n:g} samples at {rate:g} Hz. Mend block_ms."
                )
            out.append((ms, round(n)))
        return out

    def usable_peers(
        self, known: Mapping[str, Sequence[str]], usual: Sequence[str] = USUAL
    ) -> tuple[list[str], list[str]]:
        """Return the peers asked for that do the job and are installed, and notes on the others.

        Parameters
        ----------
        known
            Name of a peer -> packages that it needs.
        usual
            Who is taken if nobody was asked for.
        """
        asked = usual if self.peers is None else self.peers
        wanted = [p for p in known if p in asked]
        there = [p for p in wanted if len(versions(*known[p])) == len(known[p])]
        notes = [
            f"{p} is not installed and was left out: pip install {' '.join(known[p])}" for p in wanted if p not in there
        ]
        return there, [*notes, *[f"{p} does not do this job" for p in asked if p not in known]]


def same(what: str, found: float, most: float) -> float:
    """Return a difference that is small enough; refuse to time outputs that differ by more."""
    if not found <= most:
        raise RanvierError(
            f"bench needs outputs that agree before anything is timed; got a difference of {found:.3g} in {what}, "
            f"more than {most:g}. Install the versions of benchmarks/peers.txt; if it persists, report it."
        )
    return found
