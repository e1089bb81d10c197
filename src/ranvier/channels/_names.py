"""From what a person writes to channel indices, with an error that names what lies near."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ranvier.errors import ContractError
from ranvier.stream import Channels

ELECTRODES = frozenset({"eeg", "ecog", "seeg", "dbs", "lfp", "spikes"})


def electrodes(channels: Channels) -> list[int]:
    """Return the channels that may be referenced: electrodes in or on the brain or scalp."""
    return [i for i, kind in enumerate(channels.kinds) if kind in ELECTRODES]


def find(who: Any, channels: Channels, wanted: Sequence[str | int]) -> list[int]:
    """Return the channels that `wanted` names, in its order and each once; a leading ``-`` leaves out.

    Names that are to be left out may be absent; the others may not.
    """
    out: dict[int, None] = {}
    without: set[int] = set()
    for what in wanted:
        if isinstance(what, str) and what.startswith("-") and not channels.find(what):
            without.update(channels.find(what[1:]))
            continue
        found = channels.find(what)
        if not found:
            raise ContractError(_unknown(who, channels, what))
        out.update(dict.fromkeys(i % len(channels) for i in found))
    if not out and wanted and all(isinstance(w, str) for w in wanted):
        out = dict.fromkeys(range(len(channels)))
    return [i for i in out if i not in without]


def _unknown(who: Any, channels: Channels, what: str | int) -> str:
    name = type(who).__name__
    if isinstance(what, int):
        return (
            f"{name} needs an index below {len(channels)}; got {what}. Count channels from 0, or from the end with -1."
        )
    from difflib import get_close_matches

    folded = {n.casefold(): n for n in (*channels.names, *channels.kinds)}
    near = [folded[m] for m in get_close_matches(what.casefold(), list(folded), n=5, cutoff=0.5)]
    kinds = ", ".join(dict.fromkeys(channels.kinds))
    first = ", ".join(channels.names[:6]) + (f", ... ({len(channels)})" if len(channels) > 6 else "")
    return (
        f"{name} needs channels that the stream has; got {what!r}, which is no name, kind or pattern of it. "
        + (f"Did you mean {', '.join(near)}? " if near else "")
        + f"It has {first}; kinds: {kinds}."
    )
