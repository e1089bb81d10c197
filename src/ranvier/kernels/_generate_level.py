"""The pass of a generated kernel that works out the mean of one group of channels at every instant."""

from __future__ import annotations

from collections.abc import Sequence

from ranvier.kernels._body import Level, Work, body_text
from ranvier.kernels._table import AT, SIZE, at_row

WRITTEN_OUT = 64  # channels whose sum is written out in the loop over time


def level_pass(
    works: Sequence[Work | Level], at: int, names: dict[str, str], source: str, result: str, w: int
) -> list[str]:
    """Return the text of ``level(a, first)``: the stages before the mean, then sums of 16 lanes in a fixed tree."""
    level = works[at]
    size = level.size if isinstance(level, Level) else 0
    real = {"f4": "float32", "f8": "float64"}[result]
    parts = 16 // w
    chunk = WRITTEN_OUT if size % WRITTEN_OUT == 0 else 16
    least = level.least if isinstance(level, Level) else 0

    def summed(*, masked: bool) -> list[str]:
        out = [f"zero = like(as_{result}(load_x_{w}(x)), 0.0)", *[f"p{i} = zero" for i in range(parts)]]
        out += ["number = 0"] if masked else []
        out += ["c = first", f"while c < first + {size}:"]
        for i in range(chunk // w):
            out += ["    " + line for line in one(i % parts, masked=masked)] + [f"    c += {w}"]
        sums = "".join(f"p{i}, " for i in range(parts))
        divisor = "max(number, 1)" if masked else str(size)
        out += [f"put(mean, tree(({sums})) / {real}({divisor}))", f"mean += {SIZE[result]}"]
        out += [f"put(enough, uint8(number >= {least}))", "enough += 1", f"m += a[{AT['m_row']}]"] if masked else []
        return [*out, "x += x_row"]

    def one(part: int, *, masked: bool) -> list[str]:
        out = [f"v = load_x_{w}(x + (c - first) * {SIZE[source]})"]
        if masked:
            out += [f"ok = load_m_{w}(m + c)", "v = select(ok, v, like(v, 0.0))", "number += count(ok)"]
        for i, work in enumerate(works[:at]):
            rows = {"f4": 0, "f8": 0}
            for step in work.steps if isinstance(work, Work) else ():
                p = step.precision
                k = [at_row(i, "k" + p[1], rows[p] + r, p) for r in range(len(step.coefficients))]
                rows[p] += len(k)
                loads = "".join(f"load_{p}_{w}({v}), " for v in k)
                out += [f"v = as_{p}(v)", f"v, s = {names[body_text(step.body, 3)]}(v, (), ({loads}))"]
            out.append(f"v = as_{result}(v)")
        out += [f"v = as_{result}(v)"]
        out += ["v = select(ok, v, like(v, 0.0))"] if masked else []
        return [*out, f"p{part} = add(p{part}, v)"]

    return [
        f"tree = make_tree({result!r}, {w})",
        "",
        "@njit",
        "def level(a, first):",
        *[f"    {name} = a[{AT[name]}]" for name in ("n", "x_row", "pad", "mean", "enough")],
        f"    x = a[{AT['x']}] + first * {SIZE[source]}",
        f"    if a[{AT['clean']}] == 1:",
        "        for t in range(n):",
        *["            " + line for line in summed(masked=False)],
        "    else:",
        f"        m = a[{AT['m']}]",
        "        for t in range(n):",
        *["            " + line for line in summed(masked=True)],
        "",
    ]
