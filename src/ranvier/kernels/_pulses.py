"""What stimulation pulses leave on each channel: blanked, or taken away by a running template."""

from __future__ import annotations

from typing import Any

from numba import boolean, float64, int64, types

from ranvier.kernels._jit import kernel


def _rows(kind: Any, n: int) -> Any:
    return types.Array(kind, n, "C", readonly=True)


@kernel(
    lambda f: int64(
        _rows(f, 2), _rows(boolean, 2), boolean, _rows(boolean, 1), float64, int64, boolean, f[::1], boolean[::1],
        f[::1], boolean[::1], int64[:, ::1], f[:, ::1], boolean[:, ::1], int64[::1], f[:, ::1], boolean[:, ::1],
    )
)  # fmt: skip
def blank(
    x: Any, ok: Any, masked: bool, marks: Any, jump: float, length: int, mark: bool, before: Any, known: Any,
    last: Any, seen: Any, left: Any, ring: Any, good: Any, where: Any, y: Any, w: Any,
) -> int:  # fmt: skip
    """Write what came ``len(ring) - 1`` samples earlier, pulses filled; return how many results are not valid.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`.
    marks
        Instants at which a pulse begins on all channels.
    jump
        Largest step from one valid sample to the next that is no pulse of that channel; 0 for any.
    length
        Samples that are blanked from the last pulse on.
    mark
        Whether blanked samples are invalid.
    before, known
        State: the sample before, and whether it was valid.
    last, seen
        State: the last sample that was kept, and whether there was one.
    left
        State ``(2, n_channels)``: samples that are still to be blanked, and how many have not been kept by now.
    ring, good, where
        State: what is to be written, its mask, and the row of the next.
    y, w
        Result and its mask, of the shape of `x`.
    """
    room, bad, row = len(ring), 0, where[0]
    for t in range(len(x)):
        oldest = row + 1 if row + 1 < room else 0
        for c in range(len(last)):
            fine = not masked or ok[t, c]
            pulse = marks[t]
            if fine:
                if jump > 0.0 and known[c] and abs(float64(x[t, c]) - float64(before[c])) > jump:
                    pulse = True
                before[c] = x[t, c]
            known[c] = fine
            if pulse:
                left[0, c] = length
            kept = fine and left[0, c] == 0
            left[0, c] = max(left[0, c] - 1, 0)
            if kept:
                gap = left[1, c]
                if seen[c]:
                    rise = (float64(x[t, c]) - float64(last[c])) / (gap + 1)
                    for i in range(1, min(gap, room - 1) + 1):
                        ring[row - i if row >= i else row - i + room, c] = float64(x[t, c]) - i * rise
                last[c], seen[c], left[1, c] = x[t, c], True, 0
            else:
                left[1, c] += 1
            ring[row, c] = last[c]
            good[row, c] = fine and seen[c] and (kept or not mark)
            y[t, c] = ring[oldest, c]
            w[t, c] = good[oldest, c]
            bad += not w[t, c]
        row = oldest
    where[0] = row
    return bad


@kernel(
    lambda f: int64(
        _rows(f, 2), _rows(boolean, 2), boolean, _rows(boolean, 1), float64, int64, int64, f[::1], boolean[::1],
        int64[:, ::1], float64[:, ::1], int64[:, ::1], f[:, ::1], boolean[:, ::1],
    )
)  # fmt: skip
def template(
    x: Any, ok: Any, masked: bool, marks: Any, jump: float, memory: int, least: int, before: Any, known: Any,
    place: Any, mean: Any, count: Any, y: Any, w: Any,
) -> int:  # fmt: skip
    """Write samples less the mean of past ones as long after a pulse; return how many results are not valid.

    Parameters
    ----------
    x, ok, masked, marks, jump, before, known, y, w
        As in `blank`; a jump within a template begins no other.
    memory, least
        Pulses that count alike, from which on weights fall exponentially; and how many are needed.
    place
        State ``(2, n_channels)``: samples since the last pulse; how long none can have been missed.
    mean, count
        State ``(length, n_channels)``: the template, and how many samples each number is made of.
    """
    length, bad = len(mean), 0
    for t in range(len(x)):
        for c in range(len(before)):
            fine = not masked or ok[t, c]
            pulse = marks[t]
            if fine:
                if jump > 0.0 and known[c] and place[0, c] >= length:
                    pulse = pulse or abs(float64(x[t, c]) - float64(before[c])) > jump
                before[c] = x[t, c]
            known[c] = fine
            if jump > 0.0:
                place[1, c] = min(place[1, c] + 1, length) if fine else -1
            if pulse:
                place[0, c] = 0
            k = place[0, c]
            good = fine and (jump == 0.0 or place[1, c] >= length)
            y[t, c] = 0.0
            if k < length:
                good = good and count[k, c] >= least
                if good:
                    y[t, c] = float64(x[t, c]) - mean[k, c]
                if fine:
                    count[k, c] = min(count[k, c] + 1, memory)
                    mean[k, c] += (float64(x[t, c]) - mean[k, c]) / count[k, c]
                place[0, c] = k + 1
            elif good:
                y[t, c] = x[t, c]
            w[t, c] = good
            bad += not good
    return bad
