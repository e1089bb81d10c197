"""Mains in many channels: a turning phasor for each harmonic that follows its amplitude and phase."""

from __future__ import annotations

from typing import Any

from numba import boolean, int64, types, void

from ranvier.kernels._jit import kernel


def _rows(kind: Any) -> Any:
    return types.Array(kind, 2, "C", readonly=True)


@kernel(
    lambda f: void(
        _rows(f), _rows(boolean), boolean, f[:, ::1], f[:, ::1], int64, int64, f[::1], f[:, :, ::1], int64[::1],
        int64[::1], boolean, f[:, ::1], boolean[:, ::1],
    )
)  # fmt: skip
def cancel(
    x: Any, ok: Any, masked: bool, turns: Any, gains: Any, hold: int, settle: int, base: Any, wave: Any, seen: Any,
    gone: Any, line: bool, y: Any, w: Any,
) -> None:  # fmt: skip
    """Take the mains away: each harmonic is a turning phasor that every sample pulls towards what is left.

    For a constant frequency each harmonic is the notch ``g (1 - 2 c z + z^2) / (1 - 2 g c z + (2 g - 1) z^2)``.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`.
    turns, gains
        Cosine and sine by which each harmonic turns a sample, ``(n_harmonics, 2)``; g and 2 (1 - g) for the first valid
        sample of a channel, the second and so on ``(n_gears, 2)``: the last for all that follow.
    hold, settle
        Longest invalid stretch over which phasors go on; valid samples until the output is valid.
    base, wave, seen, gone
        State of each channel: first valid sample; phasors ``(2, n_harmonics, n_channels)``; valid samples so far, at
        most `settle` or n_gears; invalid ones since the last.
    line
        Write what is taken away (where invalid, what the phasors foretell) in place of what is left.
    y, w
        Result and its mask, of the shape of `x`.
    """
    n_harmonics, n = len(turns), len(base)
    last = len(gains) - 1
    full = max(settle, last + 1)
    g, pull, none = gains[last, 0], gains[last, 1], gains[0, 0] - gains[0, 0]
    steady = not masked
    for c in range(n):
        steady = steady and seen[c] >= full and gone[c] == 0
    for t in range(len(x)):
        whole = steady
        if not whole:
            whole = True
            for c in range(n):
                good = not masked or ok[t, c]
                whole = whole and good
                if not good:
                    gone[c] = min(gone[c] + 1, hold + 1)
                    w[t, c] = False
                    continue
                if gone[c] > hold:
                    base[c] = x[t, c]
                    seen[c] = 0
                    for h in range(n_harmonics):
                        wave[0, h, c] = none
                        wave[1, h, c] = none
                gone[c] = 0
                seen[c] = min(seen[c] + 1, full)
                whole = whole and seen[c] == full
                w[t, c] = seen[c] >= settle
        else:
            for c in range(n):
                w[t, c] = True
        for c in range(n):
            y[t, c] = x[t, c] - base[c]
        for h in range(n_harmonics):
            a, b = turns[h, 0], turns[h, 1]
            if whole:
                for c in range(n):
                    away = y[t, c] - wave[0, h, c]
                    p, q = wave[0, h, c] + pull * away, wave[1, h, c]
                    y[t, c] = g * away
                    wave[0, h, c] = a * p - b * q
                    wave[1, h, c] = b * p + a * q
            else:
                for c in range(n):
                    p, q = wave[0, h, c], wave[1, h, c]
                    if gone[c] == 0:
                        gear = min(seen[c] - 1, last)
                        away = y[t, c] - p
                        y[t, c] = gains[gear, 0] * away
                        p = p + gains[gear, 1] * away
                    wave[0, h, c] = a * p - b * q
                    wave[1, h, c] = b * p + a * q
        if line:
            for c in range(n):
                if gone[c] == 0:
                    y[t, c] = (x[t, c] - base[c]) - y[t, c]
                else:
                    y[t, c] = none
                    for h in range(n_harmonics):  # turned already: turn back by one sample
                        y[t, c] += turns[h, 0] * wave[0, h, c] + turns[h, 1] * wave[1, h, c]
        else:
            for c in range(n):
                y[t, c] = y[t, c] + base[c] if gone[c] == 0 else none


@kernel(
    lambda f: void(
        f[:, ::1], boolean[:, ::1], boolean, f[::1], f[:, ::1], f[::1], f[::1], int64, int64, f[:, :, ::1], f[:, ::1],
        int64[:, ::1],
    )
)  # fmt: skip
def catch_up(
    y: Any, w: Any, taken: bool, base: Any, turns: Any, gains: Any, limits: Any, hold: int, learn: int, wave: Any,
    usual: Any, count: Any,
) -> None:  # fmt: skip
    """Take away what quicker phasors find in what slow ones have left, where it is far more than usual.

    Where they hear nothing at all, exact zeros, nothing is learnt of what is usual.

    Parameters
    ----------
    y, w
        What is left ``(n, n_channels)``, changed in place, and where it is valid.
    taken
        Write what is taken away in place of what is left.
    base
        Level of each channel, which is not listened to.
    turns, gains
        Cosine and sine by which each harmonic turns a sample, ``(n_harmonics, 2)``; g and 2 (1 - g).
    limits
        Power over the usual one from which on something is taken away, and the part of the usual power that is new.
    hold, learn
        Longest invalid stretch after which the usual power is still known; valid samples until it is.
    wave, usual, count
        State: phasors and smoother ones ``(4, n_harmonics, n_channels)``; their usual power
        ``(n_harmonics, n_channels)``; how many samples were valid, at most `learn`, and how many invalid since
        ``(2, n_channels)``.
    """
    g, pull, far, new = gains[0], gains[1], limits[0], limits[1]
    n_harmonics, n = usual.shape
    one = g / g
    none = one - one
    for t in range(len(y)):
        for c in range(n):
            if not w[t, c]:
                count[1, c] = min(count[1, c] + 1, hold + 1)
                for h in range(n_harmonics):
                    for i in range(4):
                        wave[i, h, c] = none
                continue
            if count[1, c] > hold:
                count[0, c] = 0
            count[1, c] = 0
            known = count[0, c] >= learn
            rest, part = y[t, c] - base[c], none
            if not known and rest != none:
                count[0, c] += 1
            for h in range(n_harmonics):
                p, q = wave[0, h, c], wave[1, h, c]
                away = rest - p
                kept = g * away
                p = p + pull * away
                u, v = wave[2, h, c], wave[3, h, c]
                u, v = u + pull * (p - u), v + pull * (q - v)
                size = u * u + v * v
                much = far * usual[h, c] + (p - u) * (p - u) + (q - v) * (q - v)
                if known:
                    if size > much:
                        ratio = much / size
                        part += u * (one - ratio * ratio)
                    if size > none:
                        usual[h, c] += new * (min(size, usual[h, c] + usual[h, c]) - usual[h, c])
                elif count[0, c]:
                    usual[h, c] += (size - usual[h, c]) * (one / y.dtype.type(count[0, c]))
                rest = kept
                wave[0, h, c] = turns[h, 0] * p - turns[h, 1] * q
                wave[1, h, c] = turns[h, 1] * p + turns[h, 0] * q
                wave[2, h, c] = turns[h, 0] * u - turns[h, 1] * v
                wave[3, h, c] = turns[h, 1] * u + turns[h, 0] * v
            y[t, c] = part if taken else y[t, c] - part
