"""Fill docs/decoding.md from what `ranvier evaluate --json` wrote: python benchmarks/decoding.py FILE.json ..."""

import json
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "decoding.md"
MARK = "<!-- below: written by benchmarks/decoding.py -->\n"


def table(report):
    """Return one protocol's rows as Markdown."""
    name = report["protocol"]["name"]
    lines = [
        f"\n## {name}\n",
        "| pipeline | n | metric | mean | 95 % interval | beside its peer | streamed = offline |",
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for r in report["summary"]:
        beside = "; ".join(
            f"{d['mean']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}] {d['peer']}" for d in r["differences"]
        )
        same = {True: "to the bit", False: "**no**", None: ""}[r["streamed_equals_offline"]]
        who = f"*{r['pipeline_name']}* (peer)" if r["peer"] else r["pipeline_name"]
        people = f"{r['n']} trials, {r['n_subjects']} subject(s)" if r["metric"] != "nrmse" else f"{r['n']} samples"
        span = f"{r['low']:.3f} to {r['high']:.3f} ({r['interval']})"
        lines.append(f"| {who} | {people} | {r['metric']} | {r['mean']:.3f} | {span} | {beside} | {same} |")
    for row in report["rows"]:
        for part in row.get("letters") or ():
            if part["repetitions"] in (1, 2, 5, 10, 15):
                lines.append(
                    f"\n{row['pipeline_name']}, {part['repetitions']} repetition(s): {part['right']} of "
                    f"{part['letters']} letters, {part['seconds_per_letter']:.1f} s a letter."
                )
        if "r2" in row["scores"]:
            lines.append(f"\n{row['pipeline_name']}: R2 {row['scores']['r2']:.3f}, nRMSE {row['scores']['nrmse']:.3f}.")
        if late := row.get("streamed"):
            lines.append(
                f"\n{row['pipeline_name']}, streamed: a right decision is first held {late['latency_median']:.1f} s "
                f"after the cue (median); {late['false_activations_per_min']:.1f} false activations a minute at rest."
            )
    return "\n".join(lines)


reports = [json.loads(Path(p).read_text()) for p in sys.argv[1:]]
versions = ", ".join(f"{k} {v}" for k, v in reports[0]["software"].items())
page = PAGE.read_text().split(MARK)[0]
PAGE.write_text(page + MARK + f"\nWith {versions}.\n" + "\n".join(map(table, reports)) + "\n")
