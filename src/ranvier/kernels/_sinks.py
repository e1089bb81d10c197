"""Ends of a generated loop, as text: the signal that is stored, sums over hops, crossings with their noise.

What happens at fixed sample counts only (a hop is complete, one more size is heard) stands between the pieces that
a tile is cut into; the loop over time within a piece knows nothing of it.
"""

from __future__ import annotations

from typing import Any

from ranvier.kernels._body import Crossings, Tally, body_text
from ranvier.kernels._crossings import ENTRY
from ranvier.kernels._table import SIZE, Table

RUN = 256  # squares are added in the precision of the signal over so many samples of the index, those in float64
HELD, MOST_HELD = 512, 8  # place in the spare room where sums of lanes that are held wait, and for how many ends
NOTHING, NO_ROW = -2, -1  # no hop ends here; one ends, but no row comes out


class Schedule:
    """What a kernel notes down of each piece of a tile: names and places of int64 fields."""

    def __init__(self) -> None:
        self.fields: list[str] = ["end"]
        self.until: list[str] = []  # texts of where a piece must end at the latest
        self.lines: list[str] = []  # texts that fill the fields, with `i` the index after the piece

    def at(self, field: str) -> int:
        """Return the place of a field in bytes."""
        if field not in self.fields:
            self.fields.append(field)
        return 8 * self.fields.index(field)


class Sink:
    """Lines of text at each place of a phase; the base says nothing."""

    periodic = False
    j: int  # number of the end

    def load(self, a: Table, w: int) -> list[str]:
        """Before all: bring states in."""
        return []

    def keep(self, a: Table, w: int) -> list[str]:
        """After all: put states back."""
        return []

    def calm(self, a: Table, w: int, good: str = "") -> list[str]:
        """Return conditions under which the clean loop will do; `good` names lanes that are not held, if some are."""
        return []

    def before(self, a: Table, *, masked: bool) -> list[str]:
        """Before the loop of a piece."""
        return []

    def instant(self, *, masked: bool) -> list[str]:
        """Inside the loop; `v` is the value, `ok` whether it is valid."""
        return []

    def after(self, a: Table, w: int, good: str = "", *, masked: bool) -> list[str]:
        """After the loop of a piece."""
        return []

    def edge(self, a: Table, w: int) -> list[str]:
        """At the end of a piece."""
        return []

    def hold(self, a: Table, good: str) -> list[str]:
        """Before the clean loop, where lanes that are not `good` are to be kept as they are."""
        return []

    def release(self, a: Table, good: str) -> list[str]:
        """After it."""
        return []


class StoreSink(Sink):
    """The signal, written row by row.

    Parameters
    ----------
    j
        Number of the outlet.
    n_channels
        Channels.
    result
        Kind of the numbers.
    held
        Whether what is invalid is written as it is, not as 0.
    """

    def __init__(self, j: int, n_channels: int, result: str, *, held: bool) -> None:
        self.j, self.n, self.size, self.held = j, n_channels, SIZE[result], held

    def load(self, a: Table, w: int) -> list[str]:
        j = self.j
        return [
            f"    y{j}_row = {a(f'y{j}_row')}",
            f"    w{j}_row = {a(f'w{j}_row')}",
            f"    y{j}_base = {a(f'y{j}')} + t0 * y{j}_row + c * {self.size}",
            f"    w{j}_base = {a(f'w{j}')} + t0 * w{j}_row + c",
            f"    if c + {w} > {self.n}:",
            f"        y{j}_base, y{j}_row = {a(f'y{j}_rest')}, {w * self.size}",
            f"        w{j}_base, w{j}_row = {a(f'w{j}_rest')}, {w}",
            f"    bad{j} = 0",
        ]

    def keep(self, a: Table, w: int) -> list[str]:
        return [f"    {a.put(f'bad{self.j}', a(f'bad{self.j}') + f' + bad{self.j}')}"]

    def before(self, a: Table, *, masked: bool) -> list[str]:
        j = self.j
        out = [f"y{j} = y{j}_base + (t - t0) * y{j}_row"]
        return [*out, f"w{j} = w{j}_base + (t - t0) * w{j}_row"] if masked else out

    def instant(self, *, masked: bool) -> list[str]:
        j = self.j
        value = "select(ok, v, like(v, 0.0))" if masked and not self.held else "v"
        out = [f"store(y{j}, {value})", f"y{j} += y{j}_row"]
        mask = [f"store_mask(w{j}, ok)", f"w{j} += w{j}_row", f"bad{j} += WIDTH - count(ok)"]
        return [*out, *mask] if masked else out


class TallySink(Sink):
    """Sums over hops, and the mean over windows of hops, one row a window."""

    periodic = True

    def __init__(self, j: int, end: Tally, result: str, column: int, names: dict[str, str], s: Schedule) -> None:
        self.j, self.end, self.result, self.column = j, end, result, column
        self.body = names[body_text(end.body, 3)]
        self.ring, self.out = s.at(f"ring{j}"), s.at(f"out{j}")
        s.until += [f"t + {RUN} - (start + t) % {RUN}", f"t + {end.hop} - (start + t) % {end.hop}"]
        s.lines += [
            f"whole = i % {end.hop} == 0",
            f"put(s + {self.ring}, ((i - 1) // {end.hop}) % {end.hops} if whole or i % {RUN} == 0 else -1)",
            f"k = i // {end.hop} - {end.hops} - first{j}",
            f"put(s + {self.out}, (max(k, {NO_ROW}) if whole else {NOTHING}))",
        ]

    def load(self, a: Table, w: int) -> list[str]:
        return [f"    part{self.j} = load_r({a.row(f'part{self.j}', 0, self.result)})"]

    def keep(self, a: Table, w: int) -> list[str]:
        return [f"    store({a.row(f'part{self.j}', 0, self.result)}, part{self.j})"]

    def before(self, a: Table, *, masked: bool) -> list[str]:
        return [f"seen{self.j} = load_i4({a.row(f'seen{self.j}', 0, 'i4')})"] if masked else []

    def instant(self, *, masked: bool) -> list[str]:
        j = self.j
        out = [f"_, q = {self.body}(v, (part{j},), ())"]
        if not masked:
            return [*out, f"part{j} = q[0]"]
        return [*out, f"part{j} = select(ok, q[0], part{j})", f"seen{j} = add_if(ok, seen{j})"]

    def after(self, a: Table, w: int, good: str = "", *, masked: bool) -> list[str]:
        seen = a.row(f"seen{self.j}", 0, "i4")
        if masked:
            return [f"store({seen}, seen{self.j})"]
        more = f"iadd(load_i4({seen}), like(load_i4({seen}), stop - t))"
        return [f"store({seen}, {f'select({good}, {more}, load_i4({seen}))' if good else more})"]

    def hold(self, a: Table, good: str) -> list[str]:
        return [f"store({a('spare')} + {HELD + 64 * self.j}, part{self.j})"]

    def release(self, a: Table, good: str) -> list[str]:
        j = self.j
        return [f"part{j} = select({good}, part{j}, load_r({a('spare')} + {HELD + 64 * j}))"]

    def edge(self, a: Table, w: int) -> list[str]:
        j, hops = self.j, self.end.hops
        count, seen = a.row(f"count{j}", "r", "i4"), a.row(f"seen{j}", 0, "i4")
        out = [
            f"r = get_i8(s + {self.ring})",
            "if r >= 0:",
            f"    total = {a.row(f'total{j}', 'r', 'f8')}",
            f"    store(total, add(load_f8(total), as_f8(part{j})))",
            f"    part{j} = like(part{j}, 0.0)",
            f"    row = get_i8(s + {self.out})",
            f"    if row > {NOTHING}:",
            f"        store({count}, load_i4({seen}))",
            "        if row >= 0:",
            f"            r = (r + 1) % {hops}",
            f"            whole = load_f8({a.row(f'total{j}', 'r', 'f8')})",
            f"            number = load_i4({count})",
        ]
        if hops > 1:
            out += [
                f"            for h in range({hops - 1}):",
                f"                r = (r + 1) % {hops}",
                f"                whole = add(whole, load_f8({a.row(f'total{j}', 'r', 'f8')}))",
                f"                number = iadd(number, load_i4({count}))",
            ]
        return [
            *out,
            f"            good = le(like(number, {self.end.need}), number)",
            "            number = select(lt(number, like(number, 1)), like(number, 1), number)",
            "            value = div(whole, as_f8(number))",
            f"            value = as_{self.result}(value)",
            # what is too large to be written is not valid
            "            good = both(good, lt(absv(value), like(value, inf)))",
            "            value = select(good, value, like(value, 0.0))",
            f"            emit(a, c, row, int64({self.column}), value, good)",
            f"        r = (r + 1) % {hops}",
            f"        store({a.row(f'total{j}', 'r', 'f8')}, as_f8(like(part{j}, 0.0)))",
            f"        store({seen}, like(load_i4({seen}), 0))",
        ]


class CrossingsSink(Sink):
    """Threshold crossings, written as events or counted in bins."""

    periodic = True

    def __init__(self, j: int, end: Crossings, result: str, column: int, s: Schedule) -> None:
        self.j, self.end, self.result, self.column = j, end, result, column
        self.hear, self.turn = s.at(f"hear{j}"), s.at(f"turn{j}")
        s.until += [f"t + {end.stride} - (start + t - 1) % {end.stride}"]
        s.lines += [
            f"k = (i - 1) // {end.stride} % {end.heard}",
            f"put(s + {self.hear}, k if (i - 1) % {end.stride} == 0 else -1)",
            f"put(s + {self.turn}, ({end.heard} - k) % {end.heard})",
        ]
        if end.bin:
            self.row = s.at(f"out{j}")
            s.until += [f"t + {end.bin} - (start + t) % {end.bin}"]
            s.lines += [
                f"k = i // {end.bin} - 1 - first{j}",
                f"put(s + {self.row}, (max(k, {NO_ROW}) if i % {end.bin} == 0 else {NOTHING}))",
            ]

    def load(self, a: Table, w: int) -> list[str]:
        j = self.j
        return [
            f"    limit{j} = load_f4({a.row(f'threshold{j}', 0, 'f4')})",
            f"    last{j} = load_f4({a.row(f'before{j}', 0, 'f4')})",
            f"    notes{j} = {a('notes')}",
        ]

    def keep(self, a: Table, w: int) -> list[str]:
        j = self.j
        return [f"    store({a.row(f'before{j}', 0, 'f4')}, last{j})"]

    def calm(self, a: Table, w: int, good: str = "") -> list[str]:
        j = self.j
        deep, heard = f"like(limit{j}, -inf)", f"load_m({a.row(f'listened{j}', 0, 'u1')})"
        steady = f"both(lt({deep}, last{j}), other(differ(lt({deep}, limit{j}), {heard})))"
        if good:
            steady = f"select({good}, {steady}, other({heard}))"
        if self.end.bin:
            steady = f"both({steady}, differ({heard}, load_m({a.row(f'away{j}', 0, 'u1')})))"
        return [f"count({steady}) == {w}"]

    def hold(self, a: Table, good: str) -> list[str]:
        return [f"limit{self.j} = select({good}, limit{self.j}, like(limit{self.j}, -inf))"]

    def release(self, a: Table, good: str) -> list[str]:
        j = self.j
        threshold = a.row(f"threshold{j}", 0, "f4")
        return [f"last{j} = select({good}, last{j}, like(last{j}, -inf))", f"limit{j} = load_f4({threshold})"]

    def before(self, a: Table, *, masked: bool) -> list[str]:
        j = self.j
        out = [f"h{j} = notes{j}", f"under{j} = lt(last{j}, limit{j})"]
        if masked:
            out += [f"deep{j} = like(limit{j}, -inf)", f"heard{j} = load_m({a.row(f'listened{j}', 0, 'u1')})"]
            rows = ("missing", "away") if self.end.bin else ()
            out += [f"{name}{j} = load_m({a.row(f'{name}{j}', 0, 'u1')})" for name in rows]
        return out

    def instant(self, *, masked: bool) -> list[str]:
        j = self.j
        out = ["z = as_f4(v)", f"below = lt(z, limit{j})", f"hit = both(below, other(under{j}))"]
        if masked:
            out += [
                f"now = both(both(ok, lt(deep{j}, last{j})), lt(deep{j}, limit{j}))",
                "hit = both(ok, hit)",
                f"changed = differ(now, heard{j})",
                f"heard{j} = now",
                f"last{j} = select(ok, z, deep{j})",
                f"under{j} = lt(last{j}, limit{j})",
                "odd = bits(either(hit, changed))",
            ]
            if self.end.bin:
                out += [f"away{j} = select(changed, other(now), away{j})", f"missing{j} = either(missing{j}, away{j})"]
        else:
            out += [f"last{j} = z", f"under{j} = below", "odd = bits(hit)"]
        return [
            *out,
            "if odd != 0:",
            f"    put(h{j}, t + u)",
            f"    put(h{j} + 8, bits(hit))",
            f"    put(h{j} + 16, {'bits(changed)' if masked else 0})",
            f"    store(h{j} + 24, z)",
            f"    h{j} += {ENTRY}",
        ]

    def after(self, a: Table, w: int, good: str = "", *, masked: bool) -> list[str]:
        j = self.j
        count = f"{a(f'number{j}')}" if self.end.bin else "0"
        out = [
            f"if h{j} != notes{j}:",
            f"    events = crossed(notes{j}, h{j}, c, start, {self.end.refractory}, {a(f'free{j}')}, "
            f"{count}, {a('events')}, {a(f'listened{j}')})",
            f"    {a.put('events', 'events')}",
        ]
        if not self.end.bin:
            return out
        missing, heard = a.row(f"missing{j}", 0, "u1"), f"load_m({a.row(f'listened{j}', 0, 'u1')})"
        if masked:
            out.append(f"store_mask({a.row(f'away{j}', 0, 'u1')}, away{j})")
            return [*out, f"store_mask({missing}, missing{j})"]
        return [*out, f"store_mask({missing}, either(load_m({missing}), other({heard})))"]

    def edge(self, a: Table, w: int) -> list[str]:
        j, e = self.j, self.end
        out = [
            f"r = get_i8(s + {self.hear})",
            "if r >= 0:",
            f"    ring = {a(f'ring{j}')} + c // 16 * {e.heard * 64} + c % 16 * 4",
            f"    heard = load_m({a('real')} + c)",
            f"    store(ring + r * 64, select(heard, absv(last{j}), like(last{j}, inf)))",
            f"    if get_i8({a(f'turns{j}')} + c // 16 * 8) == get_i8(s + {self.turn}):",
            f"        estimate(ring, {e.heard}, {e.least}, {e.factor!r}, {e.weight!r}, "
            f"{a.row(f'noise{j}', 0, 'f4')}, {a.row(f'threshold{j}', 0, 'f4')}, {a.row(f'estimates{j}', 0, 'i4')}, "
            f"{a('spare')})",
            f"        limit{j} = load_f4({a.row(f'threshold{j}', 0, 'f4')})",
        ]
        if e.bin:
            number, missing = a.row(f"number{j}", 0, "i4"), a.row(f"missing{j}", 0, "u1")
            out += [
                f"row = get_i8(s + {self.row})",
                f"if row > {NOTHING}:",
                "    if row >= 0:",
                f"        counted = as_{self.result}(load_i4({number}))",
                f"        emit(a, c, row, int64({self.column}), counted, other(load_m({missing})))",
                f"    store({number}, like(load_i4({number}), 0))",
                f"    store_mask({missing}, lt(last{j}, last{j}))",
            ]
        return out


def first_row(end: Any) -> tuple[int, int]:
    """Return samples of a hop, and hops of a window, of an end that puts out rows."""
    return (end.hop, end.hops) if isinstance(end, Tally) else (end.bin, 1)


def has_rows(end: Any) -> bool:
    """Say whether an end puts out rows."""
    return isinstance(end, Tally) or (isinstance(end, Crossings) and end.bin > 0)
