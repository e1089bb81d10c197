"""Rails: samples that stand still at an extreme, as `record.faults` counts them."""

from __future__ import annotations

import numpy as np

from ranvier.evaluate.cleaning._findings import Finding, amount, names
from ranvier.evaluate.cleaning._look import Look
from ranvier.evaluate.cleaning._profile import Profile
from ranvier.record import BaseRecording, faults
from ranvier.stream import Recording

SHARE = 1e-3  # of a channel's samples at its rail, from which on it is clipped
FEWEST = 20  # samples
ALIKE = 0.01  # how far the rails of channels may differ for one amplifier to be behind them


def rails(recording: Recording, seen: Look, known: Profile) -> tuple[Finding, float | None]:
    """Return what is clipped, and the magnitude that all clipped channels reach; None where there is no such one."""
    if not isinstance(recording, BaseRecording):
        return Finding("rails", "unknown", "rails were not looked for: the recording is not a file"), None
    index = {n: i for i, n in enumerate(seen.names)}
    count: dict[str, int] = {}
    for f in faults(recording):
        if f.kind == "rail" and f.channel in index:
            count[f.channel] = count.get(f.channel, 0) + int(f.amount)
    size = max(seen.measure.size, 1)
    clipped = [n for n in seen.names if count.get(n, 0) >= max(SHARE * size, FEWEST)]
    if not clipped:
        return Finding("rails", "good", "no channel stands still at an extreme", 0.0, "%", 100 * SHARE), None
    most = max(clipped, key=lambda n: count[n])
    reach = np.array([max(abs(seen.measure.low[index[n]]), abs(seen.measure.high[index[n]])) for n in clipped])
    alike = len(clipped) > 1 and float(reach.max() - reach.min()) <= ALIKE * float(reach.max())
    others = [i for i in range(len(seen.names)) if seen.names[i] not in clipped]
    below = all(max(abs(seen.measure.low[i]), abs(seen.measure.high[i])) <= reach.max() for i in others)
    share = 100 * count[most] / size
    verb = "stands" if len(clipped) == 1 else "stand"
    text = f"{names(clipped)} {verb} still at an extreme ({most} for {share:.2g} % of its samples)"
    if alike and below:
        text += f", all at {amount(float(reach.min()), known.unit)}"
    found = Finding("rails", "fault", text, share, "%", 100 * SHARE, tuple(clipped))
    return found, float(reach.min()) if alike and below else None
