"""What cleaning does to decoding: python benchmarks/denoise_decoding.py FOLDER_OF_RECORDINGS [--json].

A pipeline of each of three protocols of examples/protocols, as it is and with cleaning stages behind its first stage,
each run left out once and tested by what the others taught: cleaning remembers seconds, in which neighbouring trials
would leak. Where cleaning is late by a look-ahead, epochs are cut as much later: the same signal, decided on later.
Differences are paired, cleaned minus plain, with 95 % intervals, as `ranvier evaluate` makes them.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from ranvier.channels import BadChannels, Interpolate, RobustReference
from ranvier.denoise import ASR, Highpass, LineNoise
from ranvier.errors import RanvierError
from ranvier.evaluate import LeaveOut, load_protocol, run
from ranvier.evaluate._bench import steps_of
from ranvier.evaluate._protocol import Pipeline
from ranvier.features import Epoch
from ranvier.stage import Recipe

PROTOCOLS = Path(__file__).resolve().parents[1] / "examples" / "protocols"
ASKED = (  # protocol, recordings, pipeline, mains [Hz]
    ("eegmmidb_left_right", "eegmmidb_s001", "TS+LR", 60.0),
    ("bci2000_motor", "bci2000_samples/eeg1_*.dat", "TS+LR", 60.0),
    ("kalunga_within", "kalunga2016_ssvep/*.fif", "TS+LR", 50.0),
)
OFFSET = 0.5  # Hz, below which ASR must not be bothered


def cleaning(mains):
    """Return what is put in front, by name."""
    mains_gone, judged, reference = LineNoise(mains), BadChannels(mains=mains), RobustReference(estimate="none")
    artefacts = (Highpass(OFFSET), ASR())
    return {
        "LineNoise": (mains_gone,),
        "BadChannels, Interpolate": (judged, Interpolate()),
        "RobustReference": (reference,),
        "Highpass, ASR": artefacts,
        "all": (judged, Interpolate(), reference, mains_gone, *artefacts),
    }


def compare(name, recordings, which, mains):
    """Return a row for every way to clean."""
    protocol = load_protocol(PROTOCOLS / f"{name}.toml")
    plain = next(p for p in protocol.pipelines if p.name == which)
    first, *rest = steps_of(plain.what)
    rows, base = [], None
    for said, stages in {"as it is": (), **cleaning(mains)}.items():
        late = sum(getattr(s, "lookahead", 0.0) for s in stages)
        after = [replace(s, tmin=s.tmin + late, tmax=s.tmax + late) if isinstance(s, Epoch) else s for s in rest]
        what = Recipe((first, *stages, *after))
        asked = Pipeline(name=said, what=what, tmin=plain.tmin + late, tmax=plain.tmax + late)
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


def table(rows):
    """Return rows as Markdown."""
    lines = [
        "| protocol, TS+LR | cleaned by | trials | score | against as it is | interval |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        if "said" in r:
            lines.append(f"| {r['protocol']} | {r['cleaned by']} | | | {r['said'].partition('. ')[0]} | |")
            continue
        beside = f"{r['mean']:+.3f} [{r['low']:+.3f}, {r['high']:+.3f}]" if r.get("low") is not None else ""
        how = r.get("interval", "")
        lines.append(f"| {r['protocol']} | {r['cleaned by']} | {r['trials']} | {r['score']:.3f} | {beside} | {how} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) < 2 or {"-h", "--help"} & {*sys.argv[1:]}:
        sys.exit(__doc__)
    rows = []
    for name, files, which, mains in ASKED:
        rows += compare(name, sorted(Path(sys.argv[1]).glob(files)), which, mains)
    print(json.dumps(rows, indent=1) if "--json" in sys.argv else table(rows))
