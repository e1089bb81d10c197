"""Channels: what the numbers of one instant are called, measured in, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ranvier.errors import ContractError

Position = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Immutable, ordered description of the channels of a stream.

    Parameters
    ----------
    names
        One unique name a channel.
    kinds
        What each is: ``eeg``, ``eog``, ``emg``, ``ecg``, ``ecog``, ``lfp``, ``spikes``, ``trigger``,
        ``motion``, ``feature``, ``misc`` ...
    units
        Unit of each: ``uV`` for potentials, ``1`` for plain numbers.
    positions
        Head or array coordinates of each [m], None where unknown.
    groups
        Name of the group each belongs to (headstage, shank, amplifier): references work by group.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    units: tuple[str, ...]
    positions: tuple[Position | None, ...]
    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.names)
        for field in ("kinds", "units", "positions", "groups"):
            if len(getattr(self, field)) != n:
                raise ContractError(
                    f"Channels needs one entry of {field} a channel; got {len(getattr(self, field))} "
                    f"for {n} channels. Give each channel one."
                )
        if len(set(self.names)) != n:
            seen: set[str] = set()
            twice = next(c for c in self.names if c in seen or seen.add(c))  # type: ignore[func-returns-value]
            raise ContractError(f"Channels needs unique names; got {twice!r} more than once. Rename one of them.")

    @classmethod
    def of(
        cls,
        names: Sequence[str] | int,
        kind: str | Sequence[str] = "eeg",
        unit: str | Sequence[str] = "uV",
        positions: Sequence[Position | None] | None = None,
        groups: str | Sequence[str] = "",
    ) -> Channels:
        """Make channels from names (or a count) and one kind, unit and group for all, or one each.

        >>> Channels.of(["C3", "C4"]).units
        ('uV', 'uV')
        """
        if isinstance(names, int):
            width = max(3, len(str(names - 1)))
            names = [f"ch{i:0{width}d}" for i in range(names)]
        n = len(names)

        def each(v: str | Sequence[str]) -> tuple[str, ...]:
            return (v,) * n if isinstance(v, str) else tuple(v)

        where = (None,) * n if positions is None else tuple(positions)
        return cls(names=tuple(names), kinds=each(kind), units=each(unit), positions=where, groups=each(groups))

    def __len__(self) -> int:
        return len(self.names)

    def take(self, index: Sequence[int]) -> Channels:
        """Return the channels at `index`, in that order."""
        return Channels(
            names=tuple(self.names[i] for i in index),
            kinds=tuple(self.kinds[i] for i in index),
            units=tuple(self.units[i] for i in index),
            positions=tuple(self.positions[i] for i in index),
            groups=tuple(self.groups[i] for i in index),
        )

    def find(self, what: str | int) -> list[int]:
        """Return the indices that `what` names: an index, a kind, a name, or a glob over names."""
        if isinstance(what, int):
            return [what] if -len(self) <= what < len(self) else []
        by_name = [i for i, name in enumerate(self.names) if name == what]
        return (
            by_name
            or [i for i, kind in enumerate(self.kinds) if kind == what]
            or [i for i, name in enumerate(self.names) if fnmatchcase(name, what)]
        )

    def with_units(self, unit: str | Sequence[str]) -> Channels:
        """Return the same channels with one unit for all, or one each."""
        return Channels.of(self.names, self.kinds, unit, self.positions, self.groups)

    def __add__(self, other: Channels) -> Channels:
        return Channels(
            names=self.names + other.names,
            kinds=self.kinds + other.kinds,
            units=self.units + other.units,
            positions=self.positions + other.positions,
            groups=self.groups + other.groups,
        )
