"""Put results into docs/benchmarks.md: python benchmarks/tables.py RESULTS.json ... [docs/benchmarks.md]."""

import json
import re
import sys
from pathlib import Path

from ranvier.evaluate.bench import BENCHES, markdown

KNOWN = {*BENCHES, "c", "growth", "start"}  # beside those of ranvier bench: yardstick.py and growth.py


def plain(found: dict) -> str:
    """Return rows as a table with their own keys as heads."""
    heads = list(found["rows"][0])
    rows = [[f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()] for row in found["rows"]]
    lines = ["| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *rows)]
    where = ", ".join(f"{k} {v}" for k, v in found["environment"].items())
    return "\n".join(lines) + "\n\n" + "".join(f"- {note}\n" for note in found["notes"]) + f"\n{where}.\n"


def main(results: list[Path], page: Path) -> None:
    found = [json.loads(r.read_text()) for r in results]
    text = page.read_text()
    for one in (one for f in found for one in f.get("results", [f])):
        if one["name"] not in KNOWN:
            continue
        begin, end = f"<!-- {one['name']} -->", f"<!-- end of {one['name']} -->"
        if begin not in text or end not in text:
            sys.exit(f"{page} needs the marks {begin} and {end}, between which the tables go")
        pattern = re.escape(begin) + ".*?" + re.escape(end)
        tables = f"{begin}\n{plain(one) if one['name'] == 'start' else markdown(one)}{end}"
        text = re.sub(pattern, lambda _, tables=tables: tables, text, flags=re.DOTALL)
    page.write_text(text)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    given = [Path(a) for a in sys.argv[1:]]
    pages = [p for p in given if p.suffix == ".md"]
    main([p for p in given if p not in pages], pages[0] if pages else Path("docs/benchmarks.md"))
