"""Tables of a comparison as Markdown: printed, or put into a page between the marks of that name."""

import re
import sys
from pathlib import Path


def table(*rows):
    """Return rows of cells as a table; the first is its head."""
    head, *rest = ([f"{c:.3g}" if isinstance(c, float) else str(c) for c in row] for row in rows)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rest))


def show(name, text, page):
    """Print the text, or put it into a page where one is given."""
    if page == "-":
        print(text)
        return
    path, begin, end = Path(page), f"<!-- {name} -->", f"<!-- end of {name} -->"
    whole = path.read_text()
    if begin not in whole or end not in whole:
        sys.exit(f"{path} needs the marks {begin} and {end}, between which the tables go")
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    path.write_text(re.sub(pattern, lambda _: f"{begin}\n{text.strip()}\n{end}", whole, flags=re.DOTALL))
