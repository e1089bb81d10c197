"""What cleaning does to decoding: python benchmarks/denoise_decoding.py FOLDER [--json FILE] [--markdown PAGE].

A pipeline of each of three protocols of examples/protocols, as it is and with cleaning stages behind its first stage,
each run left out once and tested by what the others taught: cleaning remembers seconds, in which neighbouring trials
would leak. Where cleaning is late by a look-ahead, epochs are cut as much later: the same signal, decided on later.
Differences are paired, cleaned minus plain, with 95 % intervals, as `ranvier evaluate` makes them. PAGE: a Markdown
file with the marks for this table, or - to print it.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from denoise_lost import SITES
from page import show
from page import table as as_table

from ranvier.channels import BadChannels, Interpolate, Montage, RobustReference
from ranvier.decode import Imputation
from ranvier.denoise import ASR, Highpass, LineNoise
from ranvier.errors import RanvierError
from ranvier.evaluate import LeaveOut, load_protocol, run
from ranvier.evaluate._bench import steps_of
from ranvier.evaluate._protocol import Pipeline
from ranvier.features import Covariance, Epoch
from ranvier.stage import Estimator, Recipe

PROTOCOLS = Path(__file__).resolve().parents[1] / "examples" / "protocols"
ASKED = (  # protocol, recordings, pipeline, mains [Hz], where electrodes are
    ("eegmmidb_left_right", "eegmmidb_s001", "TS+LR", 60.0, Montage()),
    ("bci2000_motor", "bci2000_samples/eeg1_*.dat", "TS+LR", 60.0, Montage(sites=tuple(SITES.split()))),
    ("kalunga_within", "kalunga2016_ssvep/*.fif", "TS+LR", 50.0, Montage()),
)
OFFSET = 0.5  # Hz, below which ASR must not be bothered
UNITS = {"t over": "subjects", "paired": "trials of one person"}


def cleaning(mains):
    """Return by name what is put in front, and whether lost channels are filled in before the decoder."""
    mains_gone, judged, reference = LineNoise(mains), BadChannels(mains=mains), RobustReference()
    artefacts = (Highpass(OFFSET), ASR())
    return {
        "LineNoise": ((mains_gone,), False),
        "BadChannels, Imputation": ((judged,), True),
        "BadChannels, Interpolate": ((judged, Interpolate()), False),
        "RobustReference": ((reference,), False),
        "Highpass, ASR": (artefacts, False),
        "all, Imputation": ((judged, reference, mains_gone, *artefacts), True),
    }


def compare(name, recordings, which, mains, montage):
    """Return a row for every way to clean."""
    protocol = load_protocol(PROTOCOLS / f"{name}.toml")
    plain = next(p for p in protocol.pipelines if p.name == which)
    first, *rest = steps_of(plain.what)
    learns = next(i for i, s in enumerate(rest) if isinstance(s, Estimator))
    rows, base = [], None
    for said, (stages, fill) in {"as it is": ((), False), **cleaning(mains)}.items():
        tail = list(rest)
        if fill:  # a channel that is lost within a window is lost for it
            tail = [replace(s, min_valid=1.0) if isinstance(s, Covariance) else s for s in tail]
            tail.insert(learns, Imputation())
        late = sum(getattr(s, "lookahead", 0.0) for s in stages)
        tail = [replace(s, tmin=s.tmin + late, tmax=s.tmax + late) if isinstance(s, Epoch) else s for s in tail]
        asked = Pipeline(
            name=said, what=Recipe((first, montage, *stages, *tail)),
            tmin=(protocol.trials.tmin if plain.tmin is None else plain.tmin) + late,
            tmax=(protocol.trials.tmax if plain.tmax is None else plain.tmax) + late,
        )  # fmt: skip
        try:
            found = run(replace(protocol, pipelines=(asked,), peers=(), split=LeaveOut(by="run")), recordings)
        except RanvierError as e:
            rows.append({"protocol": protocol.name, "cleaned by": said, "said": str(e)})
            continue
        (line,) = found.summary()
        row = {"protocol": protocol.name, "cleaned by": said, "trials": line["n"], "subjects": line["n_subjects"],
               "score": line["mean"]}  # fmt: skip
        if base is None:
            base = found
        else:
            beside = found._difference(found.lines, base.lines, protocol.metric)
            row |= {k: beside[k] for k in ("mean", "low", "high", "interval")}
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    return rows


def markdown(rows):
    """Return rows as Markdown."""
    cells = [("protocol, TS+LR", "cleaned by", "trials", "score", "against as it is, 95 %", "over")]
    for r in rows:
        if "said" in r:
            cells.append((r["protocol"], r["cleaned by"], "", "", r["said"].partition(". ")[0], ""))
            continue
        beside = f"{r['mean']:+.3f} [{r['low']:+.3f}, {r['high']:+.3f}]" if r.get("low") is not None else ""
        over = next((said for how, said in UNITS.items() if r.get("interval", "").startswith(how)), "")
        cells.append((r["protocol"], r["cleaned by"], r["trials"], f"{r['score']:.3f}", beside, over))
    return as_table(*cells)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", default="-", metavar="PAGE")
    given = parser.parse_args()
    rows = []
    for name, files, *more in ASKED:
        rows += compare(name, sorted(given.folder.glob(files)), *more)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))
    show("decoding", markdown(rows), given.markdown)
