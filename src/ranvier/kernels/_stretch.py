"""Stretches of a tile in which the mask stays as it is, as text: they go through the clean loop, whatever is masked.

Only instants at which something begins or ends need the masked loop: a channel is lost, is primed, has settled, is
listened to again. In between, the clean loop computes every lane, and what it did to lanes that are not `good` (they
are invalid, or settle) is taken back: states of lanes that are not `live`, and what the ends remember of those that
are not good.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ranvier.kernels._sinks import Sink
from ranvier.kernels._table import Table

REACH = 2  # instants that the masked loop takes at first; twice as many each time that it is entered again


def name_of_good(at: int, works: Sequence[tuple[int, Any]]) -> str:
    """Return the name of the mask that holds behind an element: of what is valid there and does not settle."""
    return next((f"good{i}" for i, work in reversed(works) if i <= at and work.waits), "fine")


def write_stretch(
    works: Sequence[tuple[int, Any]], ends: Sequence[tuple[int, Sink]], a: Table, w: int
) -> tuple[list[str], str]:
    """Return what finds a stretch ``[t, stop)`` of a piece, and the condition under which the clean loop will do.

    Parameters
    ----------
    works
        Numbered elements that remember or settle.
    ends
        Numbered sinks.
    """
    out = [
        "stop = end",
        "fine = lt(none, like(none, 1.0))",
        "if dirty == 1:",
        "    q = m + (t - t0) * m_row",
        "    fine = load_m(q)",
        "    if m_row != 0:",
        "        stop = t + 1",
        "        q += m_row",
        "        while stop < end and bits(load_m(q)) == bits(fine):",
        "            stop += 1",
        "            q += m_row",
    ]
    calm, good = [], "fine"
    for i, _ in works:
        at = a.row(f"wait{i}", 0, "i4")
        out += [
            f"wait{i} = load_i4({at})",
            f"live{i} = {good}",
            f"rest{i} = bits(both(live{i}, lt(like(wait{i}, 0), wait{i})))",
            f"while rest{i} != 0:",
            f"    stop = min(stop, t + get({at} + lowest(rest{i}) * 4, int32(0)) - 1)",
            f"    rest{i} &= rest{i} - 1",
            f"good{i} = both(live{i}, eq(wait{i}, like(wait{i}, 0)))",
        ]
        calm.append(f"count(differ(live{i}, lt(wait{i}, like(wait{i}, 0)))) == {w}")
        good = f"good{i}"
    calm += [text for at, sink in ends for text in sink.calm(a, w, name_of_good(at, works))]
    masks = [good, *{name_of_good(at, works) for at, _ in ends} - {good}]
    out.append(f"held = {' or '.join(f'count({name}) != {w}' for name in sorted(masks))}")
    return out, " and ".join(["dirty != 3", "stop > t", *calm])


def write_hold(works: Sequence[tuple[int, Any]], ends: Sequence[tuple[int, Sink]], a: Table) -> list[str]:
    """Return what is done before the clean loop where lanes are held."""
    return [line for at, sink in ends for line in sink.hold(a, name_of_good(at, works))]


def write_release(works: Sequence[tuple[int, Any]], ends: Sequence[tuple[int, Sink]], a: Table) -> list[str]:
    """Return what is done after it: states of lanes that are not live are in memory as they were."""
    out = []
    for i, work in works:
        for name, _, p, rows in states_of(i, work, a):
            kept = [f"select(live{i}, {name}[{r}], load_{p}({v}))" for r, v in enumerate(rows)]
            out.append(f"{name} = ({''.join(f'{v}, ' for v in kept)})")
        left = f"select(both(live{i}, other(good{i})), iadd(wait{i}, like(wait{i}, t - stop)), wait{i})"
        out.append(f"store({a.row(f'wait{i}', 0, 'i4')}, {left})")
    return [*out, *[line for at, sink in ends for line in sink.release(a, name_of_good(at, works))]]


def states_of(i: int, work: Any, a: Table) -> list[tuple[str, Any, str, list[str]]]:
    """Return, for each step that remembers, the name of its states, the step, its precision, and their addresses."""
    out, rows = [], {"f4": 0, "f8": 0}
    for j, step in enumerate(work.steps):
        p = step.precision
        if step.n_state:
            places = [a.row(f"z{p[1]}_{i}", rows[p] + r, p) for r in range(step.n_state)]
            out.append((f"s{i}_{j}", step, p, places))
            rows[p] += step.n_state
    return out


def write_states(works: Sequence[tuple[int, Any]], a: Table) -> list[str]:
    """Return what writes states to memory."""
    return [
        f"store({place}, {name}[{r}])"
        for i, work in works
        for name, _, _, places in states_of(i, work, a)
        for r, place in enumerate(places)
    ]
