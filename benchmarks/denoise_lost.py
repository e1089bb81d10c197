"""What a lost channel costs in decoding: python benchmarks/denoise_lost.py FOLDER [--json FILE] [--markdown PAGE].

Each channel in turn is lost in the middle of a trial, halfway through every test run, and stays lost: it stands still
(dead), hits the rail, or becomes NaN. The decoder was fitted on whole channels. Beside it: the same trials with all
channels, and with the channel left out of training and testing from the start. Undecided trials count as wrong. PAGE:
a Markdown file with the marks for this table, or - to print it.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from page import show, table

from ranvier.channels import BadChannels, Interpolate, Montage, Pick
from ranvier.decode import Imputation, Kalman
from ranvier.denoise import Integrity
from ranvier.errors import RanvierError
from ranvier.evaluate import METRICS, LeaveOut, load_protocol
from ranvier.evaluate._ask_trials import make_folds, part_of
from ranvier.evaluate._bench import Bench, followed, steps_of, trial_scores
from ranvier.evaluate._find import Named, group, make_unit, sources
from ranvier.evaluate._run import _names, _open
from ranvier.evaluate._scores import Outcome
from ranvier.features import Covariance
from ranvier.stage import Estimator, Recipe
from ranvier.stream import Block

PROTOCOLS = Path(__file__).resolve().parents[1] / "examples" / "protocols"
RAIL = 1e7  # uV, beyond anything in these recordings, offsets included
HOW = ("dead", "rail", "nan")
MOTOR = (1, 3, 5, 8, 10, 12, 15, 17, 19)  # of the 64 channels: over the motor cortices, where a loss may hurt
SITES = (  # eeg64.loc beside the BCI2000 samples, whose files do not name them
    "FC5 FC3 FC1 FCz FC2 FC4 FC6 C5 C3 C1 Cz C2 C4 C6 CP5 CP3 CP1 CPz CP2 CP4 CP6 Fp1 Fpz Fp2 AF7 AF3 AFz AF4 AF8 F7 "
    "F5 F3 F1 Fz F2 F4 F6 F8 FT7 FT8 T7 T8 T9 T10 TP7 TP8 P7 P5 P3 P1 Pz P2 P4 P6 P8 PO7 PO3 POz PO4 PO8 O1 Oz O2 Iz"
)
ASKED = (  # protocol, recordings, pipelines, channels to lose, montage
    ("kalunga_within", "kalunga2016_ssvep/*.fif", ("TS+LR", "MDM"), range(8), Montage()),
    ("eegmmidb_left_right", "eegmmidb_s001", ("TS+LR", "CSP+LDA"), MOTOR, Montage()),
    ("bci2000_motor", "bci2000_samples/eeg1_*.dat", ("TS+LR",), MOTOR, Montage(sites=tuple(SITES.split()))),
    ("bci2000_speller", "bci2000_samples/eeg3_1.dat", ("Xdawn+LDA",), range(8), Montage()),
    ("flint", "flint_run1/flint_run1.npz", ("Wiener, 5 lags", "Kalman"), range(10), None),
)


@dataclass(frozen=True, eq=False)
class Lost(Named):
    """A recording in which a channel is lost from a sample on."""

    channel: int = 0
    at: int = 0
    how: str = "dead"

    def blocks(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        """Yield the signal in blocks of `size` samples."""
        last = next(self.base.blocks(1, self.at)).data[0, self.channel] if self.how == "dead" else RAIL
        for block in self.base.blocks(size, start, stop):
            data = np.array(block.data)
            data[max(self.at - block.start, 0) :, self.channel] = np.nan if self.how == "nan" else last
            yield Block(data, block.start, block.valid) if block.stop > self.at else block


def ways(plain, montage):
    """Return the ways to live with a lost channel, by name: recipes that begin with what picks channels."""
    pick, *rest = steps_of(plain)
    placed = (pick,) if montage is None else (pick, montage)
    front = Integrity(rail=RAIL / 2, flat=0.25 if montage else None)
    rest = [replace(s, min_valid=1.0) if isinstance(s, Covariance) else s for s in rest]
    first = next(i for i, s in enumerate(rest) if isinstance(s, Estimator))
    filled = (*rest[:first], Imputation(), *rest[first:])
    said = {"nothing": (front, *rest)}
    if not isinstance(rest[-1], Kalman):
        said["Imputation"] = (front, *filled)
    if montage is not None:
        said |= {
            "BadChannels, Imputation": (front, BadChannels(), *filled),
            "Interpolate": (front, Interpolate(), *rest),
        }
    return {how: (placed, tail) for how, tail in said.items()}


def lost(recordings, place, how, at):
    """Return recordings in which a channel is lost, each from its own sample on."""
    return [Lost(r, r.entities, channel=place, at=a, how=how) for r, a in zip(recordings, at, strict=True)]


def ask_trials(protocol, unit, placed, tail, losses, part):
    """Yield the channel lost, and by what happened to it the scores and truth of every trial that ends after."""
    table = part_of(unit.table, part, [r.n_samples for r in unit.recordings])
    trials = table.trials
    folds = make_folds(protocol, table, tuple(r.n_samples for r in unit.recordings))
    truth = np.searchsorted(np.array(trials.classes), trials.label)
    late, at = [], []
    for r in range(len(unit.recordings)):
        mine = np.flatnonzero(trials.recording == r)
        late += mine[len(mine) // 2 :].tolist()
        middle = mine[len(mine) // 2]
        at.append(int(trials.begin[middle] + 0.4 * (trials.end[middle] - trials.begin[middle])))

    def heard(bench, fitted):
        scores = {}
        for fold, made in zip(folds, fitted, strict=True):
            test = np.intersect1d(fold.test, late)
            if len(test):
                decisions = bench.decisions(made, np.unique(trials.recording[test]).tolist())
                scores |= dict(zip(test.tolist(), trial_scores(decisions, trials, test, trials.classes), strict=True))
        order = np.array(sorted(scores))
        found = np.array([scores[t] for t in order])
        return Outcome(names=trials.classes, truth=truth[order], scores=found, fold=0 * order, place=order)

    whole = Recipe((*placed, *tail))
    bench = Bench.of(whole, unit.recordings)
    fitted = [bench.fit(trials[f.train]) for f in folds]
    intact, info = heard(bench, fitted), unit.recordings[0].info
    eeg = [i for i, kind in enumerate(info.channels.kinds) if kind == "eeg"]
    for place in (eeg[c] for c in losses):
        row = {how: heard(Bench.of(whole, lost(unit.recordings, place, how, at)), fitted) for how in HOW}
        less = Recipe((*placed, Pick(("eeg", f"-{info.channels.names[place]}")), *tail))
        bench = Bench.of(less, unit.recordings)
        yield {"intact": intact, "removed": heard(bench, [bench.fit(trials[f.train]) for f in folds]), **row}


def ask_targets(protocol, unit, placed, tail, losses, part):
    """Yield the same of what is followed through the second half of the test."""
    (rec,), (targets,), (pick,) = unit.recordings, unit.targets, placed
    a, b = protocol.split.test.range(rec.n_samples)
    train, at = [targets.cut(*protocol.split.train.range(rec.n_samples))], (a + b) // 2

    def heard(bench, fitted):
        truth, values, places = followed(bench.decisions(fitted, [0])[0], targets, at, b)
        every = np.zeros((b - at, truth.shape[1]))
        every[places - at] = values  # where nothing was decoded: no movement
        here, known = np.arange(at, b), targets.values[at - targets.start : b - targets.start]
        return Outcome(names=targets.names, truth=known, scores=every, fold=0 * here, place=here)

    whole = Recipe((*placed, *tail))
    bench = Bench.of(whole, [rec])
    fitted = bench.fit(train)
    intact = heard(bench, fitted)
    for place in losses:
        row = {
            how: heard(Bench.of(whole, lost([rec], place, how, [at])), fitted) for how in ("nan",)
        }  # features have no rails, and may stand still
        bench = Bench.of(Recipe((Pick((*pick.what, f"-{rec.info.channels.names[place]}")), *tail)), [rec])
        yield {"intact": intact, "removed": heard(bench, bench.fit(train)), **row}


def compare(folder, name, files, which, losses, montage):
    """Yield a row for every pipeline and way to live with a loss: means over channels and units."""
    protocol = load_protocol(PROTOCOLS / f"{name}.toml")
    if name not in ("bci2000_speller", "flint"):
        protocol = replace(protocol, split=LeaveOut(by="run"))
    found, _ = sources(protocol, sorted(folder.glob(files)))
    opened, names = [_open(protocol, s) for s in found], _names(found)
    units = [make_unit(protocol, [opened[i] for i in u], [names[i] for i in u]) for u in group(protocol, opened)]
    for pipeline in (p for p in protocol.pipelines if p.name in which):
        for by, (placed, tail) in ways(pipeline.what, montage).items():
            row = {"protocol": protocol.name, "pipeline": pipeline.name, "by": by, "metric": protocol.metric}
            try:
                ask = ask_targets if units[0].table is None else ask_trials
                rows = [r for u in units for r in ask(protocol, u, placed, tail, losses, pipeline)]
            except RanvierError as e:
                yield row | {"said": str(e)}
                continue
            scores = [{how: METRICS[protocol.metric](heard) for how, heard in r.items()} for r in rows]
            yield row | {"losses": len(rows)} | {how: float(np.mean([s[how] for s in scores])) for how in scores[0]}


def markdown(rows):
    """Return rows as Markdown."""
    columns = ("intact", "removed", *HOW)
    cells = [("protocol", "pipeline", "lives with it by", "losses", *columns)]
    for r in rows:
        values = (
            [r["said"].partition(". ")[0], *[""] * 4]
            if "said" in r
            else ["" if c not in r else "undecided" if np.isnan(r[c]) else f"{r[c]:.3f}" for c in columns]
        )
        cells.append((f"{r['protocol']} ({r['metric']})", r["pipeline"], r["by"], r.get("losses", ""), *values))
    return table(*cells)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=[name for name, *_ in ASKED], nargs="+")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", default="-", metavar="PAGE")
    given = parser.parse_args()
    rows = []
    for asked in (a for a in ASKED if not given.only or a[0] in given.only):
        for row in compare(given.folder, *asked):
            rows.append(row)
            print(row, file=sys.stderr, flush=True)
            if given.json:
                given.json.write_text(json.dumps(rows, indent=1))
    show("lost", markdown(rows), given.markdown)
