"""Artifact subspace reconstruction, sample by sample: weighting, products of one hop, what is put out."""

from __future__ import annotations

from typing import Any

from numba import boolean, float64, int64, njit, types, void

from ranvier.kernels._jit import kernel

_SECTIONS = types.Array(float64, 2, "C", readonly=True)
_INDEX = types.Array(int64, 1, "C", readonly=True)
_WEIGHTS = types.Array(float64, 1, "C", readonly=True)


def _rows(kind: Any) -> Any:
    return types.Array(kind, 2, "C", readonly=True)


@njit(float64(float64, _SECTIONS, float64[:, ::1]), inline="always")  # type: ignore[untyped-decorator]
def _filtered(v: float, sections: Any, z: Any) -> float:
    """Run one sample through second-order sections, transposed direct form II; `z` is their state."""
    for s in range(len(sections)):
        y = sections[s, 0] * v + z[s, 0]
        z[s, 0] = sections[s, 1] * v - sections[s, 4] * y + z[s, 1]
        z[s, 1] = sections[s, 2] * v - sections[s, 5] * y
        v = y
    return v


@njit(void(float64[:, ::1], _SECTIONS, float64[:, :, ::1]), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def weigh(x: Any, sections: Any, z: Any) -> None:
    """Filter each column in place; `z` is ``(n_channels, n_sections, 2)``."""
    for t in range(len(x)):
        for c in range(x.shape[1]):
            x[t, c] = _filtered(x[t, c], sections, z[c])


@kernel(
    lambda f: void(
        _rows(f), _rows(boolean), boolean, _INDEX, int64, _SECTIONS, float64[:, :, ::1], int64[::1], float64[::1],
        float64[:, ::1], int64[::1],
    )
)  # fmt: skip
def hear(
    x: Any, ok: Any, masked: bool, which: Any, longest: int, sections: Any, z: Any, gone: Any, row: Any, products: Any,
    count: Any,
) -> None:  # fmt: skip
    """Weigh samples and add up their products (upper triangle), and how many of each channel there were.

    Parameters
    ----------
    x, ok, masked
        Samples of one hop; their mask, which is looked at only where `masked`.
    which
        Columns of `x` that count.
    longest, gone
        After as many invalid samples a channel's filter starts afresh; how many it is now, a channel.
    sections, z, row
        Filter, its state ``(n, n_sections, 2)``, room ``(n,)``.
    products, count
        ``(n, n)`` and ``(n,)``, added to.
    """
    n = len(which)
    for t in range(len(x)):
        for i in range(n):
            if not masked or ok[t, which[i]]:
                row[i] = _filtered(float64(x[t, which[i]]), sections, z[i])
                gone[i] = 0
                count[i] += 1
            else:
                row[i] = 0.0
                gone[i] = min(gone[i] + 1, longest)
                if gone[i] == longest:
                    z[i] = 0.0
        for i in range(n):
            a = row[i]
            for j in range(i, n):
                products[i, j] += a * row[j]


@kernel(
    lambda f: int64(
        _rows(f), _rows(boolean), boolean, _INDEX, int64, f[:, ::1], boolean[:, ::1], float64[::1], float64[:, :, ::1],
        boolean[:, ::1], int64[::1], _WEIGHTS, float64[:, ::1], f[:, ::1], boolean[:, ::1],
    )
)  # fmt: skip
def put_out(
    x: Any, ok: Any, masked: bool, which: Any, place: int, past: Any, past_ok: Any, held: Any, removed: Any,
    trusted: Any, active: Any, blend: Any, room: Any, y: Any, w: Any,
) -> int:  # fmt: skip
    """Write samples as they were a while ago, less what is removed; return how many are invalid.

    Parameters
    ----------
    x, ok, masked, which
        As in `hear`.
    place, past, past_ok
        Ring of the last samples and their mask, its length the delay; where in it the first of these goes.
    held
        Last valid value of each channel that counts.
    removed, trusted, active
        What is removed, ``(2, n, n)`` transposed, before the blend and after it; which channels that is known
        for; whether it is anything.
    blend
        Weight of the latter at each sample.
    room
        ``(2, n)``.
    y, w
        Result and its mask.
    """
    n, late, bad = len(which), len(past), 0
    for t in range(len(x)):
        at = (place + t) % max(late, 1)
        for c in range(x.shape[1]):
            v, good = x[t, c], not masked or ok[t, c]
            if not good:
                v = x.dtype.type(0)
            if late:
                v, past[at, c] = past[at, c], v
                good, past_ok[at, c] = past_ok[at, c], good
            y[t, c] = v
            w[t, c] = good
        for i in range(n):
            if w[t, which[i]]:
                held[i] = float64(y[t, which[i]])
        if active[0] or active[1]:
            b = blend[t]
            for i in range(n):
                room[0, i] = 0.0
                room[1, i] = 0.0
            for j in range(n):
                a = held[j]
                for i in range(n):
                    room[0, i] += removed[0, j, i] * a
                    room[1, i] += removed[1, j, i] * a
            for i in range(n):
                away = (1.0 - b) * room[0, i] + b * room[1, i]
                if w[t, which[i]]:
                    y[t, which[i]] = held[i] - away
        for i in range(n):
            w[t, which[i]] = w[t, which[i]] and trusted[0, i] and trusted[1, i]
        for c in range(x.shape[1]):
            if not w[t, c]:
                y[t, c] = 0.0
                bad += 1
    return bad
