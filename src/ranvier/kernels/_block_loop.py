"""The functions of a generated kernel that take a block through it: tile by tile, group by group."""

from __future__ import annotations

from collections.abc import Sequence

from ranvier.kernels._body import Store
from ranvier.kernels._program import NUMBA, TILE, Program
from ranvier.kernels._sharing import CALLER, write_sharing
from ranvier.kernels._sinks import Schedule, first_row, has_rows
from ranvier.kernels._table import SIZE, Table


def write_block_loop(program: Program, a: Table, s: Schedule, w: int) -> list[str]:
    """Return the text of ``kernel(table, x, m, start)``, which is called with a block, and of what it calls."""
    tail = program.n_channels % w
    out = [
        f"@njit(types.int64(types.int64[::1], types.Array(types.{NUMBA[program.source]}, 2, 'A', readonly=True), "
        "types.Array(types.boolean, 2, 'A', readonly=True), types.int64), "
        "cache=True, nogil=True, no_cfunc_wrapper=True)",
        "def kernel(table, x, m, start):",
        "    a = int64(table.ctypes.data)",
        "    n = x.shape[0]",
        f"    if x.shape[1] != {program.n_channels} or m.shape[0] != n or m.shape[1] != {program.n_channels}:",
        "        return 2",
        f"    for i in range({a('followed')}):",
        f"        heard = get_i8(get_i8({a('follow')} + i * 8))",
        "        if heard >= 0 and heard != start:",
        "            return 1",
        f"    for i in range({a('followed')}):",
        f"        put(get_i8({a('follow')} + i * 8), start + n)",
        f"    {a.put('start', 'start')}",
        f"    {a.put('x', 'int64(x.ctypes.data)')}",
        f"    {a.put('x_row', 'x.strides[0]')}",
        f"    {a.put('m', 'int64(m.ctypes.data)')}",
        f"    {a.put('m_row', 'm.strides[0]')}",
        f"    {a.put('look', '2')}",
        "    if m.strides[0] == 0 and m.strides[1] == 0 and m[0, 0]:",
        f"        {a.put('m', a('trusted'))}",
        f"        {a.put('look', '0')}",
        f"    {a.put('bad_rows', '0')}",
        f"    {a.put('events', a('events_raw'))}",
        "    n_events = int64(0)",
    ]
    for j, (_, e) in enumerate(program.ends):
        if isinstance(e, Store):
            out += [f"    {a.put(f'bad{j}', '0')}"]
        elif has_rows(e):
            hop, hops = first_row(e)
            out += [
                f"    heard = {a(f'heard{j}')}",
                "    if get_i8(heard + 8) != start:",
                "        put(heard, start)",
                "    put(heard + 8, start + n)",
                f"    first = max(-(-get_i8(heard) // {hop}), (start - {hop * hops}) // {hop} + 1)",
                f"    {a.put(f'first{j}', 'first')}",
                f"    put({a('result')} + {16 * j}, first)",
                f"    put({a('result')} + {16 * j + 8}, max((start + n - {hop * hops}) // {hop} + 1 - first, 0))",
            ]
    if program.joined:
        firsts = ", ".join(a(f"first{j}") for j in range(len(program.ends)))
        hop, hops = first_row(program.ends[0][1])
        out += [f"    first = max({firsts})"]
        for j in range(len(program.ends)):
            out += [
                f"    {a.put(f'first{j}', 'first')}",
                f"    put({a('result')} + {16 * j}, first)",
                f"    put({a('result')} + {16 * j + 8}, max((start + n - {hop * hops}) // {hop} + 1 - first, 0))",
            ]
    if program.shared:
        jobs = -(-program.n_channels // program.job)
        out += [
            f"    if {a('helpers')} == 0:",
            f"        job(a, int64(0), int64({program.n_channels}), n)",
            "    else:",
            f"        {a.put('n', 'n')}",
            f"        for i in range({a('helpers')}):",
            f"            hand(a, get_i8({a('tables')} + 8 * i))",
            f"        store_release({a('finished')}, int64(0))",
            f"        store_release({a('ticket')}, int64(0))",
            f"        take(a, int64({CALLER}), int64(0))",
            f"        while load_acquire({a('finished')}) < {jobs}:",
            "            pause()",
            f"        for i in range({a('helpers')}):",
            f"            gather(a, get_i8({a('tables')} + 8 * i))",
        ]
    else:
        out += [f"    n_events = job(a, int64(0), int64({program.n_channels}), n)"]
    stores = [j for j, (_, e) in enumerate(program.ends) if isinstance(e, Store)]
    bad = " + ".join([*[a(f"bad{j}") for j in stores], "0"])
    out += [
        f"    put({a('result')} + {16 * len(program.ends)}, {bad})",
        f"    put({a('result')} + {16 * len(program.ends) + 8}, {a('bad_rows')})",
        f"    put({a('result')} + {16 * len(program.ends) + 16}, n_events)",
        "    return 0",
        "",
    ]
    before = [*(_pack(program, stores, a, w) if tail else []), *_job(program, a, s, w)]
    return [*before, *(write_sharing(program, a) if program.shared else []), *out]


def _job(program: Program, a: Table, s: Schedule, w: int) -> list[str]:
    """Write the function that takes some channels through a block, tile by tile, and returns how many events came."""
    size = -(-(program.group or w) // w) * w
    tail = program.n_channels % w
    out = [
        "@inner",
        "def job(a, begin, until, n):",
        f"    start = {a('start')}",
        "    n_events = int64(0)",
        "    t0 = int64(0)",
        "    while t0 < n:",
        f"        t1 = min(n, t0 + {TILE})",
    ]
    out += [f"        schedule(a, {a('notes_of_tile')}, t0, t1)"] if s.until else []
    last = f"        if until == {program.n_channels}:"
    out += [last, "            pack(a, t0, t1)"] if tail else []
    out += [f"        for c in range(begin, until, {size}):", "            group(a, c, t0, t1)"]
    stores = any(isinstance(e, Store) for _, e in program.ends)
    out += [last, "            unpack(a, t0, t1)"] if tail and stores else []
    if program.has_events:
        out += [
            f"        many = ({a('events')} - {a('events_raw')}) // 32",
            f"        in_time({a('events_raw')}, many, start + t0, t1 - t0, {a('spare')}, "
            f"{a('events_out')} + n_events * 32)",
            "        n_events += many",
            f"        {a.put('events', a('events_raw'))}",
        ]
    return [*out, "        t0 = t1", "    return n_events", ""]


def _pack(program: Program, stores: Sequence[int], a: Table, w: int) -> list[str]:
    """Write what copies the last channels, fewer than a vector, to rows of their own and back."""
    tail, x_size, y_size = program.n_channels % w, SIZE[program.source], SIZE[program.result]
    x_real, y_real = NUMBA[program.source], NUMBA[program.result]
    out = [
        "@inner",
        "def pack(a, t0, t1):",
        f"    c = {program.n_channels} - {tail}",
        "    for t in range(t1 - t0):",
        f"        x = {a('x')} + (t0 + t) * {a('x_row')} + c * {x_size}",
        f"        m = {a('m')} + (t0 + t) * {a('m_row')} + c",
        f"        for lane in range({tail}):",
        f"            put({a('x_rest')} + (t * {w} + lane) * {x_size}, get(x + lane * {x_size}, {x_real}(0)))",
        f"            put({a('m_rest')} + t * {w} + lane, get(m + lane, uint8(0)))",
        *(["        for lane in range(WIDTH):"] if stores else []),
        *[f"            put({a(f'w{j}_rest')} + t * {w} + lane, uint8(1))" for j in stores],
        "",
    ]
    if stores:
        out += [
            "@inner",
            "def unpack(a, t0, t1):",
            f"    c = {program.n_channels} - {tail}",
            "    for t in range(t1 - t0):",
        ]
    for j in stores:
        out += [
            f"        y = {a(f'y{j}')} + (t0 + t) * {a(f'y{j}_row')} + c * {y_size}",
            f"        g = {a(f'w{j}')} + (t0 + t) * {a(f'w{j}_row')} + c",
            f"        for lane in range({tail}):",
            f"            put(y + lane * {y_size}, get({a(f'y{j}_rest')} + (t * {w} + lane) * {y_size}, {y_real}(0)))",
            f"            put(g + lane, get({a(f'w{j}_rest')} + t * {w} + lane, uint8(0)))",
        ]
    return [*out, ""] if stores else out
