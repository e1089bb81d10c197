"""Put results into docs/benchmarks.md: python benchmarks/tables.py RESULTS.json [docs/benchmarks.md]."""

import json
import re
import sys
from pathlib import Path

from ranvier.evaluate.bench import BENCHES, markdown


def main(results: Path, page: Path) -> None:
    found = json.loads(results.read_text())
    text = page.read_text()
    for one in found.get("results", [found]):
        if one["name"] not in BENCHES:
            continue
        begin, end = f"<!-- {one['name']} -->", f"<!-- end of {one['name']} -->"
        if begin not in text or end not in text:
            sys.exit(f"{page} needs the marks {begin} and {end}, between which the tables go")
        pattern = re.escape(begin) + ".*?" + re.escape(end)
        tables = f"{begin}\n{markdown(one)}{end}"
        text = re.sub(pattern, lambda _, tables=tables: tables, text, flags=re.DOTALL)
    page.write_text(text)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "docs/benchmarks.md"))
