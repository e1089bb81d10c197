"""The functions of a generated kernel by which threads share the channels of a block.

Channels are cut into jobs. A ticket says how many are taken; whoever raises it does the next, in memory of its own:
the caller from the first on, those who help from the last back, so that states stay, from block to block, in the
caches of whom they were with. Jobs touch nothing that another touches, so it does not matter who does which, or when.
A block is done when all jobs are: one barrier a block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ranvier.kernels._body import Store
from ranvier.kernels._table import Table

if TYPE_CHECKING:
    from ranvier.kernels._program import Program

CALLER, HELPER = 1, 1 << 32  # what each adds to the ticket: jobs taken from the first on, and from the last back
CLOSED = 1 << 30  # a ticket with which there is nothing to do
GIVEN = ("start", "n", "x", "x_row", "m", "m_row", "look", "rows", "rows_row", "fine", "fine_row")


def write_sharing(program: Program, a: Table) -> list[str]:
    """Return the text of ``hand``, ``gather``, ``take`` and of ``helper``, which a thread runs."""
    jobs = -(-program.n_channels // program.job)
    ends = range(len(program.ends))
    given = [*GIVEN, *[f"{name}{j}" for j in ends for name in ("first", "y", "w")]]
    given += [f"{name}{j}_row" for j in ends for name in ("y", "w")]
    counted = ["bad_rows", *[f"bad{j}" for j in ends if isinstance(program.ends[j][1], Store)]]
    there = [name for name in given if name in a.places or name == "n"]
    return [
        "@inner",
        "def hand(a, b):",
        *[f"    put({a.place(name).replace('a +', 'b +')}, {a(name)})" for name in there],
        *[f"    put({a.place(name).replace('a +', 'b +')}, int64(0))" for name in counted],
        "",
        "@inner",
        "def gather(a, b):",
        *[f"    {a.put(name, a(name) + ' + ' + a(name).replace('(a +', '(b +'))}" for name in counted],
        "",
        "@inner",
        "def take(a, mine, patience):",
        f"    ticket = {a('ticket')}",
        "    idle = 0",
        "    while True:",
        "        taken = load_acquire(ticket)",
        f"        if (taken & {HELPER - 1}) + (taken >> 32) < {jobs}:",
        "            taken = fetch_add(ticket, mine)",
        f"            first, last = taken & {HELPER - 1}, taken >> 32",
        f"            if first + last < {jobs}:",
        f"                i = first if mine == {CALLER} else {jobs - 1} - last",
        f"                until = min((i + 1) * {program.job}, int64({program.n_channels}))",
        f"                job(a, i * {program.job}, until, {a('n')})",
        f"                fetch_add({a('finished')}, int64(1))",
        "                idle = 0",
        "                continue",
        "        idle += 1",
        "        if idle > patience:",
        "            return",
        "        pause()",
        "",
        "@njit(types.void(types.int64, types.int64), cache=True, nogil=True)",
        "def helper(a, patience):",
        f"    take(a, int64({HELPER}), patience)",
        "",
    ]
