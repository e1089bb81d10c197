"""Which combinations of channels the mains is in: sums of products of phasors, and a projection of each sample."""

from __future__ import annotations

from typing import Any

from numba import boolean, float64, int64, types, void

from ranvier.kernels._jit import kernel

_SUMS = float64[:, :, ::1]


@kernel(lambda f: void(f[:, :, ::1], f[:, :, ::1], int64[::1], int64[::1], int64, int64, float64, _SUMS, f[:, :, ::1]))
def gather(
    line: Any, wide: Any, seen: Any, gone: Any, settle: int, hold: int, keep: float, sums: Any, room: Any
) -> None:
    """Add products of channels at an instant to fading sums: of the line, of what is beside it, and how many.

    Real parts of products of phasors do not depend on where in its period the instant lies. Pairs in which one is
    invalid are left as they are; a channel that is primed afresh begins anew.

    Parameters
    ----------
    line, wide
        Phasors ``(2, n_harmonics, n_channels)`` of a narrow and of a wide band; what is beside the line is the
        difference.
    seen, gone, settle, hold
        Of `ranvier.kernels._phasors.cancel`.
    keep
        Part of the sums that is kept.
    sums
        ``(3, n_channels, n_channels)``; the upper halves are changed.
    room
        Of the shape of `line`.
    """
    _, n_harmonics, n = line.shape
    for q in range(2):
        for h in range(n_harmonics):
            for c in range(n):
                room[q, h, c] = wide[q, h, c] - line[q, h, c]
    for c in range(n):
        if seen[c] < settle or gone[c] > hold:
            for d in range(n):
                for k in range(3):
                    sums[k, min(c, d), max(c, d)] = 0.0
    for c in range(n):
        if gone[c] or seen[c] < settle:
            continue
        for d in range(c, n):
            if gone[d] or seen[d] < settle:
                continue
            a, b = 0.0, 0.0
            for q in range(2):
                for h in range(n_harmonics):
                    a += float64(line[q, h, c]) * float64(line[q, h, d])
                    b += float64(room[q, h, c]) * float64(room[q, h, d])
            sums[0, c, d] = keep * sums[0, c, d] + a
            sums[1, c, d] = keep * sums[1, c, d] + b
            sums[2, c, d] = keep * sums[2, c, d] + 1.0


@kernel(
    lambda f: void(
        types.Array(f, 2, "C", readonly=True), boolean[:, ::1], f[::1], f[:, ::1], float64[:, ::1], f[:, ::1],
        f[:, ::1],
    )
)  # fmt: skip
def combine(x: Any, w: Any, base: Any, line: Any, filters: Any, found: Any, left: Any) -> None:
    """Write the line part of each combination and what else is in it; sums over channels in their order.

    Parameters
    ----------
    x, w, base
        Samples ``(n, n_channels)``, where they are valid, and the level of each channel.
    line
        Line parts ``(n, n_channels)``.
    filters
        ``(n_components, n_channels)``; components whose filter is 0 throughout cost little.
    found, left
        Results ``(n, n_components)``; what is left is of the valid channels.
    """
    kind = found.dtype.type
    n_components, n = filters.shape
    for k in range(n_components):
        some = False
        for c in range(n):
            some = some or filters[k, c] != 0.0
        for t in range(len(x)):
            a, b = 0.0, 0.0
            if some:
                for c in range(n):
                    a += filters[k, c] * line[t, c]
                    if w[t, c]:
                        b += filters[k, c] * (x[t, c] - base[c] - line[t, c])
            found[t, k], left[t, k] = kind(a), kind(b)


@kernel(
    lambda f: void(
        types.Array(f, 2, "C", readonly=True), f[:, ::1], f[:, ::1], float64[:, ::1], boolean[::1], f[:, ::1],
        boolean[:, ::1],
    )
)  # fmt: skip
def subtract(x: Any, found: Any, more: Any, patterns: Any, used: Any, y: Any, w: Any) -> None:
    """Write ``x - patterns' z`` where it is valid, 0 elsewhere.

    Parameters
    ----------
    x
        Samples ``(n, n_channels)``.
    found, more
        z is their sum ``(n, n_components)``.
    patterns
        ``(n_components, n_channels)``.
    used
        Channels of which filters and patterns know; others are not valid.
    y, w
        Result ``(n, n_channels)``, and its mask, which tells where the samples are valid before.
    """
    kind = y.dtype.type
    n_components, n = patterns.shape
    for t in range(len(x)):
        for c in range(n):
            w[t, c] = w[t, c] and used[c]
            y[t, c] = x[t, c] if w[t, c] else kind(0)
        for k in range(n_components):
            z = float64(found[t, k]) + float64(more[t, k])
            if z != 0.0:
                for c in range(n):
                    y[t, c] = kind(y[t, c] - patterns[k, c] * z) if w[t, c] else kind(0)
