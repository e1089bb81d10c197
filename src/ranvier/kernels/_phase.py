"""The function of a generated kernel that takes one vector of channels through one phase of a tile.

A phase is what lies between two group means, or behind the entrance. Its states are local SIMD values; a second,
masked loop is entered only where something becomes invalid or valid again (see `_stretch`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ranvier.kernels._body import Gate, Step, Work, body_text
from ranvier.kernels._sinks import MOST_HELD, Sink
from ranvier.kernels._stretch import REACH, name_of_good, write_hold, write_release, write_states, write_stretch
from ranvier.kernels._table import SIZE, Table


@dataclass(frozen=True, eq=False)
class Phase:
    """What one pass over a vector of channels does.

    Parameters
    ----------
    number
        Of the phase, from 0.
    works
        Numbered elements: a `Gate` (first of all or nowhere), then `Work`.
    ends
        Sinks, each behind the element of that number (-1: before all).
    source
        Kind of what it reads: of the stream in phase 0, else of what the phase before left.
    after_level
        Whether the group's mean is to be taken away first, and the number of that element.
    leaves
        Whether another phase goes on with what this one leaves.
    """

    number: int
    works: Sequence[tuple[int, Any]]
    ends: Sequence[tuple[int, Sink]]
    source: str
    after_level: int | None
    leaves: bool
    names: dict[str, str] = field(default_factory=dict)


def write_phase(p: Phase, a: Table, result: str, w: int) -> list[str]:
    """Return the text of ``lanes_<number>(a, c, first, t0, t1, s, x, x_row, m, m_row, dirty)``.

    It returns whether what it leaves is masked somewhere.
    """
    gate = p.works[0][1] if p.works and isinstance(p.works[0][1], Gate) else None
    stateful = [(i, v) for i, v in p.works if isinstance(v, Work) and v.waits]
    periodic = any(s.periodic for _, s in p.ends)
    head = f"def lanes_{p.number}(a, c, first, t0, t1, s, x, x_row, m, m_row, dirty):"
    out = [f"    start = {a('start')}"]
    keep: list[str] = []
    for i, work in p.works:
        out += _load_work(i, work, a, result, keep)
    for _, sink in p.ends:
        out += sink.load(a, w)
        keep += sink.keep(a, w)
    if p.leaves:
        out += [
            f"    b = {a('buffer')} + (c - first) * {SIZE[result]}",
            f"    o = {a('okay')} + c - first",
            f"    b_row = {a.buffer_row}",
            f"    o_row = {a.okay_row}",
        ]
    if p.after_level is not None:
        out += [
            f"    mean = {a('mean')}",
            f"    mean_row = {SIZE[result]}",
            f"    enough = {a('enough')}",
            "    enough_row = 1",
        ]
    out += [f"    none = like(load_x{p.number}(x), 0.0)"]
    scan = [
        "    if dirty == 2:",
        "        dirty = 0",
        "        q = m",
        "        for t in range(t1 - t0):",
        f"            if count(load_m(q)) != {w}:",
        "                dirty = 1",
        "                break",
        "            q += m_row",
    ]
    out += scan if p.number == 0 else []
    out += ["    masked = dirty"]
    if gate is not None:
        return a.function(head, [*out, *_gate(p, gate, a, result, w), *keep, "    return masked"])
    waits = [f"load_i4({a.row(f'wait{i}', 0, 'i4')})" for i, _ in stateful]
    holds = not p.leaves and bool(p.ends) and all(s.periodic and s.j < MOST_HELD for _, s in p.ends)
    out += ["    t = t0"]
    indent = "    "
    if periodic:
        out += [*([f"    reach = int64({REACH})"] if holds else []), "    while t < t1:", "        end = get_i8(s)"]
        indent = "        "
    else:
        out += ["    end = t1"]
    if holds:
        find, calm = write_stretch(stateful, p.ends, a, w)
        out += [f"{indent}{line}" for line in find]
    else:
        out += [f"{indent}stop = end"]
        quiet = [f"count(eq({wait}, like({wait}, 0))) == {w}" for wait in waits]
        calm = " and ".join(["not dirty", *quiet, *[text for _, sink in p.ends for text in sink.calm(a, w)]])
    out += [f"{indent}if {calm}:"]
    if holds:
        out += [f"{indent}    if held:", *[f"{indent}        {line}" for line in write_hold(stateful, p.ends, a)]]
    out += _loop(p, a, result, w, indent, masked=False, good=holds)
    if holds:
        out += [f"{indent}    if held:", *[f"{indent}        {x}" for x in write_release(stateful, p.ends, a)]]
    out += [f"{indent}else:"]
    out += [f"{indent}    masked = 1"] if p.leaves else []
    if holds:
        out += [f"{indent}    stop = end if dirty == 3 else min(end, t + reach)", f"{indent}    reach += reach"]
    out += _loop(p, a, result, w, indent, masked=True)
    out += [f"{indent}    {line}" for line in write_states(stateful, a)] if holds else []
    edges = [line for _, sink in p.ends for line in sink.edge(a, w)]
    if periodic:
        out += [f"{indent}t = stop", f"{indent}if t == end:"]
        out += [f"{indent}    {line}" for line in [*edges, "s += NOTE"]]
    return a.function(head, [*out, *keep, "    return masked"])


def coefficient(a: Table, i: int, row: int, step: Step, which: int, shift: int = 0) -> str:
    """Return the text that brings a coefficient in: one number where all channels have the same, else a vector.

    Parameters
    ----------
    i, row
        Number of the element, and its row among the coefficients of that precision.
    step, which
        Whose coefficient, and which of them.
    shift
        Channels beyond ``c``.
    """
    p = step.precision
    values = np.asarray(step.coefficients[which]).ravel()
    if (values == values[0]).all():
        return f"splat_{p}({a(f'k{p[1]}_{i}')} + {row * a.pad * SIZE[p]})"
    return f"load_{p}({a.row(f'k{p[1]}_{i}', row, p)} + {shift * SIZE[p]})"


def _load_work(i: int, work: Any, a: Table, result: str, keep: list[str]) -> list[str]:
    out = []
    if isinstance(work, Gate):
        kind = "load_r"
        out += [
            f"    rail{i} = {kind}({a.row(f'rail{i}', 0, result)})",
            f"    held{i} = {kind}({a.row(f'held{i}', 0, result)})",
        ]
        keep += [f"    store({a.row(f'held{i}', 0, result)}, held{i})"]
        if work.flat:
            out += [
                f"    last{i} = {kind}({a.row(f'last{i}', 0, result)})",
                f"    run{i} = load_i4({a.row(f'run{i}', 0, 'i4')})",
                f"    judged{i} = load_m({a.row(f'judged{i}', 0, 'u1')})",
            ]
            keep += [
                f"    store({a.row(f'last{i}', 0, result)}, last{i})",
                f"    store({a.row(f'run{i}', 0, 'i4')}, run{i})",
            ]
        return out
    rows, states = {"f4": 0, "f8": 0}, {"f4": 0, "f8": 0}
    for j, step in enumerate(work.steps):
        p = step.precision
        k = [coefficient(a, i, rows[p] + r, step, r) for r in range(len(step.coefficients))]
        z = [a.row(f"z{p[1]}_{i}", states[p] + r, p) for r in range(step.n_state)]
        rows[p] += len(k)
        states[p] += len(z)
        out.append(f"    k{i}_{j} = ({''.join(f'{v}, ' for v in k)})")
        out.append(f"    s{i}_{j} = ({''.join(f'load_{p}({v}), ' for v in z)})")
        keep += [f"    store({v}, s{i}_{j}[{r}])" for r, v in enumerate(z)]
    return out


def _loop(
    p: Phase, a: Table, result: str, w: int, indent: str, *, masked: bool, good: bool = False
) -> list[str]:  # fmt: skip
    """Write the loop over time of one stretch of a tile, from t to stop; `good`: lanes may be held."""
    rows = ["x", *(["mean"] if p.after_level is not None else []), *(["b"] if p.leaves else [])]
    rows += ["m", *(["enough"] if p.after_level is not None else []), *(["o"] if p.leaves else [])] if masked else []
    body = [f"v = load_x{p.number}(x_at)", *(["ok = load_m(m_at)"] if masked else [])]
    if p.after_level is not None:
        body += ["v = sub(v, splat_r(mean_at))"]
        body += ["ok = both(ok, splat_m(enough_at))"] if masked else []
    body += [line for at, sink in p.ends if at == -1 for line in sink.instant(masked=masked)]
    for i, work in p.works:
        body += _work(i, work, p.names, result, w, masked=masked)
        body += [line for at, sink in p.ends if at == i for line in sink.instant(masked=masked)]
    if p.leaves:
        body += ["store(b_at, v)", *(["store_mask(o_at, ok)"] if masked else [])]
    body += [f"{name}_at += {name}_row" for name in rows]
    out = [f"{name}_at = {name} + (t - t0) * {name}_row" for name in rows]
    out += [line for _, sink in p.ends for line in sink.before(a, masked=masked)]
    stateful = [i for i, work in p.works if masked and work.waits]
    for i in stateful:
        out += [f"wait{i} = load_i4({a.row(f'wait{i}', 0, 'i4')})", f"settle{i} = like(wait{i}, {a(f'settle{i}')})"]
    out += ["for u in range(stop - t):", *["    " + line for line in body]]
    out += [f"store({a.row(f'wait{i}', 0, 'i4')}, wait{i})" for i in stateful]
    works = [(i, work) for i, work in p.works if isinstance(work, Work) and work.waits]
    for at, sink in p.ends:
        out += sink.after(a, w, name_of_good(at, works) if good else "", masked=masked)
    return [f"{indent}    {line}" for line in out]


def _work(i: int, work: Work, names: dict[str, str], result: str, w: int, *, masked: bool) -> list[str]:
    out: list[str] = []
    waits = masked and work.waits
    if masked:
        out.append("v = select(ok, v, like(v, 0.0))")
    if waits:
        out += [f"fresh = both(ok, lt(wait{i}, like(wait{i}, 0)))", "begins = bits(fresh) != 0"]
    for j, step in enumerate(work.steps):
        out.append(f"v = as_{step.precision}(v)")
        out += _step(step, names, f"s{i}_{j}", f"k{i}_{j}", masked=masked)
    out.append(f"v = as_{result}(v)")
    if waits:
        zero, one = f"like(wait{i}, 0)", f"like(wait{i}, -1)"
        out.append(f"left = select(lt({zero}, wait{i}), iadd(wait{i}, {one}), {zero})")
        out.append(f"wait{i} = select(ok, select(fresh, settle{i}, left), {one})")
        out.append(f"ok = both(ok, eq(wait{i}, {zero}))")
    return out


def _step(step: Step, names: dict[str, str], s: str, k: str, *, masked: bool) -> list[str]:
    body = names[body_text(step.body, 3)]
    if not masked or step.prime is None:
        return [f"v, {s} = {body}(v, {s}, {k})"]
    each = range(step.n_state)
    return [
        "if begins:",
        f"    q = {names[body_text(step.prime, 2)]}(v, {k})",
        f"    {s} = ({''.join(f'select(fresh, q[{r}], {s}[{r}]), ' for r in each)})",
        f"v, q = {body}(v, {s}, {k})",
        f"{s} = ({''.join(f'select(ok, q[{r}], {s}[{r}]), ' for r in each)})",
    ]


def _gate(p: Phase, gate: Gate, a: Table, result: str, w: int) -> list[str]:
    """Write the entrance: once as if all were well, and again with a mask where it is not."""
    i = p.works[0][0]
    kept = [f"held{i}", *([f"last{i}", f"run{i}"] if gate.flat else [])]
    ends = [sink for _, sink in p.ends]

    def instant(*, masked: bool) -> list[str]:
        out = [f"v = load_x{p.number}(x)", "size = absv(v)"]
        given = ["ok = load_m(m)"] if masked else ["ok = lt(none, like(none, 1.0))"]
        if gate.flat:
            one = f"like(run{i}, 1)"
            out += [
                *given,
                f"seen = both(both(ok, lt(size, endless)), judged{i})",
                f"same = both(eq(v, last{i}), lt(like(run{i}, 0), run{i}))",
                f"longer = iadd(run{i}, {one})",
                f"longer = select(lt(longer, flat{i}), longer, flat{i})",
                f"last{i} = select(seen, v, last{i})",
                f"run{i} = select(seen, select(same, longer, {one}), run{i})",
                f"ok = both(both(ok, lt(size, rail{i})), either(other(judged{i}), lt(run{i}, flat{i})))",
            ]
        else:
            out += [*given, f"ok = both(ok, lt(size, rail{i}))"] if masked else [f"ok = lt(size, rail{i})"]
        out += [f"held{i} = select(ok, v, held{i})" if masked else f"held{i} = v", "fine = both(fine, ok)"]
        out += [f"v = held{i}"]
        out += [line for at, sink in p.ends if at == i for line in sink.instant(masked=masked)]
        for j, work in p.works[1:]:
            out += _work(j, work, p.names, result, w, masked=False)
            out += [line for at, sink in p.ends if at == j for line in sink.instant(masked=masked)]
        out += ["store(b, v)", "b += b_row"] if p.leaves else []
        out += ["store_mask(o, ok)", "o += o_row"] if p.leaves and masked else []
        out += ["x += x_row", "m += m_row"] if masked else ["x += x_row"]
        return out

    first = [line for s in ends for line in s.before(a, masked=False)]
    again = [line for s in ends for line in s.before(a, masked=True)]
    return [
        "    t = t0",
        "    end = t1",
        "    endless = like(none, inf)",
        *([f"    flat{i} = like(run{i}, {gate.flat})"] if gate.flat else []),
        "    if not dirty:",
        "        x_first = x",
        *(["        b_first = b"] if p.leaves else []),
        *[f"        {name}_first = {name}" for name in kept],
        "        fine = lt(none, like(none, 1.0))",
        *[f"        {line}" for line in first],
        "        for u in range(end - t):",
        *["            " + line for line in instant(masked=False)],
        f"        if count(fine) != {w}:",
        "            dirty = 1",
        "            x = x_first",
        *(["            b = b_first"] if p.leaves else []),
        *[f"            {name} = {name}_first" for name in kept],
        "    masked = int64(0)",
        "    if dirty:",
        "        fine = lt(none, like(none, 1.0))",
        *[f"        {line}" for line in again],
        "        for u in range(end - t):",
        *["            " + line for line in instant(masked=True)],
        f"        masked = int64(count(fine) != {w})",
        *[f"        {line}" for s in ends for line in s.after(a, w, masked=True)],
    ]
