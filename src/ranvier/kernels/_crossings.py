"""What happens beside the loop where crossings are looked for: refractory time, counts, events, noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from ranvier.kernels._jit import njit
from ranvier.kernels._simd import bits, get, get_i8, lowest, make_load, put, store
from ranvier.kernels.ops import add, add_if, as_f4, both, div, eq, iadd, le, like, lt, mul, select

ENTRY = 24 + 16 * 4  # bytes of a note that a loop makes: instant, lanes that crossed, lanes that changed, values
EVENT = 32  # bytes of an event: sample i8, fraction f4, duration f4, code i4, value f4, source i4, uncertainty f4
SPIKE, LOST, BACK = 0, 1, 2  # codes of what is written
MEDIAN_OF_ONE_SIGMA = 0.6744897501960817  # median of |x| for a normal x with a standard deviation of 1
MEDIAN_OF_MEAN = 0.8453475393951495  # and the median over the mean of |x|
CUTS_OF_VALUES = 20  # cuts in the middle of values; then, where these were of no use, of the integers
CUTS = CUTS_OF_VALUES + 33
INFINITE = 0x7F800000  # bits of a float32; no size that was heard is larger
LANES = 16  # channels that take turns together
_inner = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)


@_inner  # type: ignore[untyped-decorator]
def crossed(
    first: int, last: int, channel: int, start: int, refractory: int, free: int, count: int, events: int,
    listened: int,
) -> Any:  # fmt: skip
    """Go through the notes of one vector of channels; return where the next event may be written.

    Parameters
    ----------
    first, last
        Addresses of the first note and after the last.
    channel, start
        First channel of the vector, and index of instant 0.
    refractory, free
        Samples, and address of the index from which each channel may be heard again.
    count
        Address of the counts; 0 where events are written.
    events
        Where the next event is written.
    listened
        Address of whether each channel was listened to before.
    """
    note = first
    while note < last:
        at = start + get_i8(note)
        hit, changed = get_i8(note + 8), get_i8(note + 16)
        lanes = hit | changed
        while lanes:
            lane = lowest(lanes)
            lanes &= lanes - 1
            c = channel + lane
            if hit >> lane & 1 and get_i8(free + 8 * c) <= at:
                put(free + 8 * c, at + refractory)
                if count:
                    put(count + 4 * c, np.int32(get(count + 4 * c, np.int32(0)) + 1))
                else:
                    events = _write(events, at, SPIKE, c, get(note + 24 + 4 * lane, np.float32(0)))
            if changed >> lane & 1:
                now = get(listened + c, np.uint8(0)) == 0
                put(listened + c, np.uint8(now))
                if not count:
                    events = _write(events, at, BACK if now else LOST, c, np.float32(0))
        note += ENTRY
    return events


@_inner  # type: ignore[untyped-decorator]
def _write(place: int, at: int, code: int, channel: int, value: float) -> int:
    put(place, at)
    put(place + 8, 0)
    put(place + 16, np.int32(code))
    put(place + 20, np.float32(value))
    put(place + 24, np.int32(channel))
    put(place + 28, np.float32(0))
    return place + EVENT


@_inner  # type: ignore[untyped-decorator]
def in_time(events: int, n: int, start: int, rows: int, tally: int, out: int) -> Any:
    """Copy `n` events, which come channel by channel, to `out` in order of time; return the place after the last.

    Parameters
    ----------
    start, rows
        Index of the first instant, and how many there are.
    tally
        Address of room for as many int64.
    """
    for t in range(rows):
        put(tally + 8 * t, 0)
    for i in range(n):
        place = tally + 8 * (get_i8(events + EVENT * i) - start)
        put(place, get_i8(place) + 1)
    place = out
    for t in range(rows):
        many = get_i8(tally + 8 * t)
        put(tally + 8 * t, place)
        place += EVENT * many
    for i in range(n):
        source = events + EVENT * i
        cell = tally + 8 * (get_i8(source) - start)
        target = get_i8(cell)
        for j in range(0, EVENT, 8):
            put(target + j, get_i8(source + j))
        put(cell, target + EVENT)
    return place


def make_estimate(width: int) -> Any:
    """Make the function that estimates the noise of `width` channels anew."""
    load, load_real = make_load("i4", "i4", width), make_load("f4", "f4", width)

    @_inner  # type: ignore[untyped-decorator]
    def estimate(
        ring: int, heard: int, least: int, factor: float, weight: float, noise: int, threshold: int, estimates: int,
        room: int,
    ) -> None:  # fmt: skip
        """Take the (lower) median of sizes: halve a range until it is the range's first or last.

        The first range is cut where the median of a normal variable lies beside its mean size. Whatever the cuts,
        what is found is one of the sizes, and always the same; sizes are compared as integers, whose order is theirs.

        Parameters
        ----------
        ring, heard
            Address of the first lane's sizes, 16 lanes a row, and how many rows; infinite where invalid.
        least
            Valid ones that an estimate needs.
        factor, weight
            Threshold over noise, and weight of a new estimate at least.
        noise, threshold, estimates
            Addresses of the first lane's state.
        room
            Address of room for four vectors.
        """
        low = like(load(ring), 0)
        total = like(load_real(ring), 0.0)
        most, one = low, like(low, 1)
        for i in range(heard):
            fine = lt(load(ring + 64 * i), like(low, INFINITE))
            most = add_if(fine, most)
            total = add(total, select(fine, load_real(ring + 64 * i), like(total, 0.0)))
        store(room, most)
        for lane in range(width):  # rank of the (lower) median
            put(room + 64 + 4 * lane, np.int32((get(room + 4 * lane, np.int32(0)) - 1) // 2))
        rank = load(room + 64)
        mean = div(total, as_f4(most))
        store(room + 64, mul(mean, like(mean, MEDIAN_OF_MEAN)))
        store(room + 128, mul(mean, like(mean, 2.5)))  # no median is above twice the mean
        trial, high, fewest = load(room + 64), load(room + 128), low
        for cut in range(CUTS):
            below = like(low, 0)
            for i in range(heard):
                below = add_if(lt(load(ring + 64 * i), trial), below)
            above = lt(rank, below)
            low, fewest = select(above, low, trial), select(above, fewest, below)
            high, most = select(above, trial, high), select(above, below, most)
            store(room + 128, low)
            store(room + 192, high)
            if cut < CUTS_OF_VALUES:
                between = mul(add(load_real(room + 128), load_real(room + 192)), like(total, 0.5))
                store(room + 64, between)
            else:
                for lane in range(width):
                    first = np.int64(get(room + 128 + 4 * lane, np.int32(0)))
                    put(room + 64 + 4 * lane, np.int32((first + get(room + 192 + 4 * lane, np.int32(0))) >> 1))
            trial = load(room + 64)
            left = both(lt(fewest, rank), lt(iadd(rank, one), most))
            if cut >= CUTS_OF_VALUES:
                left = both(left, lt(low, trial))  # there is nothing between
            if bits(left) == 0:
                break
        after = like(low, INFINITE)
        before = like(low, 0)
        for i in range(heard):
            size = load(ring + 64 * i)
            after = select(both(le(low, size), lt(size, after)), size, after)
            before = select(both(lt(size, high), lt(before, size)), size, before)
        found = select(eq(iadd(rank, one), most), before, after)
        store(room + 64, found)
        for lane in range(width):
            if get(room + 4 * lane, np.int32(0)) >= least:
                new = np.float64(get(room + 64 + 4 * lane, np.float32(0))) / MEDIAN_OF_ONE_SIGMA
                n = get(estimates + 4 * lane, np.int32(0)) + 1
                old = np.float64(get(noise + 4 * lane, np.float32(0)))
                now = np.float32(old + max(weight, 1.0 / n) * (new - old))
                put(estimates + 4 * lane, np.int32(n))
                put(noise + 4 * lane, now)
                put(threshold + 4 * lane, np.float32(-factor * now) if now > 0 else np.float32(-np.inf))

    return estimate
