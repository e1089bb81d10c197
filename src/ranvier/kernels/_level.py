"""The function of a generated kernel that works out the mean of one group of channels at every instant of a tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ranvier.kernels._body import Gate, Level, body_text
from ranvier.kernels._phase import coefficient
from ranvier.kernels._table import SIZE, Table

WRITTEN_OUT = 64  # channels whose sum is written out in the loop over time


def write_level(number: int, level: Level, a: Table, result: str, w: int) -> list[str]:
    """Return the text of ``level_<number>(a, n, masked)``: sums of 16 lanes in a fixed tree; whether some lack a mean.

    Lanes beyond the group hold 0 and count as valid.
    """
    size = -(-level.size // w) * w
    real = {"f4": "float32", "f8": "float64"}[result]
    parts = 16 // w
    chunk = WRITTEN_OUT if size % WRITTEN_OUT == 0 else 16

    def summed(*, masked: bool) -> list[str]:
        out = [*[f"p{i} = zero" for i in range(parts)], "at = b"]
        out += ["number = 0", "q = o"] if masked else []
        lines: list[list[str]] = []
        for i in range(chunk // w):
            line = ["v = load_r(at)"]
            if masked:
                line += ["ok = load_m(q)", "v = select(ok, v, zero)", "number += count(ok)", f"q += {w}"]
            lines.append([*line, f"p{i % parts} = add(p{i % parts}, v)", f"at += {w * SIZE[result]}"])
        if size > chunk:
            out += [f"for j in range({size // chunk}):", *["    " + x for line in lines for x in line]]
        rest = size % chunk if size > chunk else size
        out += [x for line in lines[: rest // w] for x in line]
        sums = "".join(f"p{i}, " for i in range(parts))
        divisor = "max(number, 1)" if masked else str(level.size)
        out += [f"number -= {size - level.size}"] if masked and size > level.size else []
        out += [f"put(mean, tree(({sums})) / {real}({divisor}))", f"mean += {SIZE[result]}"]
        if masked:
            out += [f"put(enough, uint8(number >= {level.least}))", f"lack |= number < {level.least}", "enough += 1"]
        return [*out, "b += b_row", *(["o += o_row"] if masked else [])]

    return [
        "@inner",
        f"def level_{number}(a, n, masked):",
        f"    b = {a('buffer')}",
        f"    o = {a('okay')}",
        f"    b_row = {a.buffer_row}",
        f"    o_row = {a.okay_row}",
        f"    mean = {a('mean')}",
        f"    enough = {a('enough')}",
        "    zero = like(load_r(b), 0.0)",
        "    lack = False",
        "    if masked:",
        "        for t in range(n):",
        *["            " + line for line in summed(masked=True)],
        "    else:",
        "        for t in range(n):",
        *["            " + line for line in summed(masked=False)],
        "    return lack",
        "",
    ]


def write_front(
    works: Sequence[tuple[int, Any]], level: Level, names: dict[str, str], a: Table, source: str, result: str, w: int,
    *, masked: bool = False, every_row: bool = False,
) -> list[str]:  # fmt: skip
    """Return the text of ``front(a, c, n, x, x_row)``: all before the mean, and the mean, in one pass over a group.

    For a group of which nothing is known to be invalid, and stages without memory. It returns whether the entrance
    found nothing either; if not, nothing was changed but the buffer. Where the entrance is expected to find
    something, ``masked_front`` does the same with masks; it returns 1 if it did, 2 more if a mean is lacking, and 4
    more if all rows of the mask are the same: then only the first is written, unless `every_row` is wanted.
    """
    vectors = range(level.size // w)
    parts = 16 // w
    gate = next(((i, v) for i, v in works if isinstance(v, Gate)), None)
    before: list[str] = []
    instant: list[str] = []
    for r in vectors:
        c = f" + {r * w}"
        for i, work in works:
            if isinstance(work, Gate):
                before += [f"rail{r} = load_r({_shift(a.row(f'rail{i}', 0, result), c, result)})", f"fine{r} = none"]
                before += [f"held{r} = load_r({_shift(a.row(f'held{i}', 0, result), c, result)})"] if masked else []
                if work.flat:
                    before += [
                        f"last{r} = load_r({_shift(a.row(f'last{i}', 0, result), c, result)})",
                        f"run{r} = load_i4({_shift(a.row(f'run{i}', 0, 'i4'), c, 'i4')})",
                        f"judged{r} = load_m({a.row(f'judged{i}', 0, 'u1')}{c})",
                    ]
                continue
            rows = {"f4": 0, "f8": 0}
            for j, step in enumerate(work.steps):
                p = step.precision
                k = [coefficient(a, i, rows[p] + q, step, q, r * w) for q in range(len(step.coefficients))]
                rows[p] += len(k)
                before.append(f"k{i}_{j}_{r} = ({''.join(f'{v}, ' for v in k)})")
        instant += [f"v = load_x0(x + {r * w * SIZE[source]})"]
        for i, work in works:
            if isinstance(work, Gate):
                instant += _gate(work, r) if not masked else _masked_gate(r)
                continue
            for j, step in enumerate(work.steps):
                instant += [
                    f"v = as_{step.precision}(v)",
                    f"v, s = {names[body_text(step.body, 3)]}(v, (), k{i}_{j}_{r})",
                ]
            instant.append(f"v = as_{result}(v)")
        instant += [f"v = as_{result}(v)", *([f"v = select(ok{r}, v, zero)"] if masked else [])]
        instant += [f"store(b + {r * w * SIZE[result]}, v)"]
        instant += [f"p{r} = add(zero, v)" if r < parts else f"p{r % parts} = add(p{r % parts}, v)"]
    real = {"f4": "float32", "f8": "float64"}[result]
    sums = "".join(f"p{i}, " for i in range(parts))
    missing = [f"p{i} = zero" for i in range(len(vectors), parts)]
    # what the next group will read: its rows are too far apart for the machine to guess
    bytes_in = level.size * SIZE[source]
    ahead = [f"prefetch(x + {bytes_in + at})" for at in range(0, bytes_in, 64)]
    fine = " and ".join(f"count(fine{r}) == {w}" for r in vectors) if gate else "True"
    kept = []
    if gate:
        i, entrance = gate
        for r in vectors:
            c = f" + {r * w}"
            kept.append(f"store({_shift(a.row(f'held{i}', 0, result), c, result)}, held{r})")
            if entrance.flat:
                kept.append(f"store({_shift(a.row(f'last{i}', 0, result), c, result)}, last{r})")
                kept.append(f"store({_shift(a.row(f'run{i}', 0, 'i4'), c, 'i4')}, run{r})")
    if masked:
        return _masked_front(
            level, a, source, result, w, before, [*missing, *ahead, *instant], sums, kept, every_row=every_row
        )
    body = [
        f"    b = {a('buffer')}",
        f"    mean = {a('mean')}",
        "    zero = like(load_r(b), 0.0)",
        "    none = le(zero, zero)",
        *["    " + line for line in before],
        *[f"    held{r} = zero" for r in vectors if gate],
        "    for t in range(n):",
        *["        " + line for line in [*missing, *ahead, *instant]],
        f"        put(mean, tree(({sums})) / {real}({level.size}))",
        f"        mean += {SIZE[result]}",
        f"        b += {a.buffer_row}",
        "        x += x_row",
        f"    fine = {fine}",
        *(["    if fine:", *["        " + line for line in kept]] if kept else []),
        "    return fine",
    ]
    return a.function("def front(a, c, n, x, x_row):", body)


def _shift(row: str, c: str, kind: str) -> str:
    return f"{row} + {int(c[3:]) * SIZE[kind]}"


def _gate(gate: Gate, r: int) -> list[str]:
    """Write what the entrance asks of one vector at one instant, as long as all is well."""
    out = ["size = absv(v)", f"fine{r} = both(fine{r}, lt(size, rail{r}))", f"held{r} = v"]
    if gate.flat:
        one, most = f"like(run{r}, 1)", f"like(run{r}, {gate.flat})"
        out += [
            f"longer = iadd(run{r}, {one})",
            f"same = both(eq(v, last{r}), lt(like(run{r}, 0), run{r}))",
            f"run{r} = select(judged{r}, select(same, select(lt(longer, {most}), longer, {most}), {one}), run{r})",
            f"last{r} = select(judged{r}, v, last{r})",
            f"fine{r} = both(fine{r}, either(other(judged{r}), lt(run{r}, {most})))",
        ]
    return out


def _masked_front(
    level: Level, a: Table, source: str, result: str, w: int, before: list[str], instant: list[str], sums: str,
    kept: list[str], *, every_row: bool,
) -> list[str]:  # fmt: skip
    """Write the pass with masks: stretch by stretch, in each of which the masks are those of its first instant."""
    real = {"f4": "float32", "f8": "float64"}[result]
    vectors = range(level.size // w)
    first = [f"lt(absv(load_x0(x + {r * w * SIZE[source]})), rail{r})" for r in vectors]
    last = [f"load_x0(x - x_row + {r * w * SIZE[source]})" for r in vectors]
    body = [
        f"    b = {a('buffer')}",
        f"    o = {a('okay')}",
        f"    mean = {a('mean')}",
        f"    enough = {a('enough')}",
        f"    flags = {a('flags')}",
        f"    hints = {a('hints')} + c // {w} * 8",
        "    zero = like(load_r(b), 0.0)",
        "    none = le(zero, zero)",
        "    said = int64(0)",
        *["    " + line for line in before],
        "    t = int64(0)",
        "    while t < n:",
        "        begin = t",
        *[f"        ok{r} = {text}" for r, text in enumerate(first)],
        *[f"        fine{r} = both(fine{r}, ok{r})" for r in vectors],
        f"        number = {' + '.join(f'count(ok{r})' for r in vectors)}",
        f"        divisor = {real}(max(number, 1))",
        "        while t < n:",
        "            odd = other(none)",
        *["            " + line for line in instant],
        "            if bits(odd) != 0:",
        "                break",
        f"            put(mean, tree(({sums})) / divisor)",
        f"            mean += {SIZE[result]}",
        f"            b += {a.buffer_row}",
        "            x += x_row",
        "            t += 1",
        *[f"        held{r} = select(ok{r}, {text}, held{r})" for r, text in enumerate(last)],
        f"        if number < {level.least}:",
        "            said |= 2",
        "            for u in range(begin, t):",
        "                put(enough + u, uint8(0))",
        "        many = t - begin",
        "        if many == n:",
        "            said |= 4",
        *([] if every_row else ["            many = int64(1)"]),
        "        for u in range(many):",
        *[f"            store_mask(o + {r * w}, ok{r})" for r in vectors],
        f"            o += {a.okay_row}",
        *["    " + line for line in kept],
    ]
    for r in vectors:
        body += [
            f"    bad = int64(count(fine{r}) != {w})",
            f"    put(flags + {r * w * 8}, bad)",
            f"    put(hints + {r * 8}, int64(count(ok{r}) != {w}))",
            "    said |= bad",
        ]
    return a.function("def masked_front(a, c, n, x, x_row):", [*body, "    return said"])


def _masked_gate(r: int) -> list[str]:
    """Write what the entrance asks of one vector at one instant where something is beyond its rail."""
    return [f"odd = either(odd, differ(lt(absv(v), rail{r}), ok{r}))"]
