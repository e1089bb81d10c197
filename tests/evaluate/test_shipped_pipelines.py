"""Every pipeline in a shipped protocol keeps the conformance suite, once it is fitted."""

from pathlib import Path

import numpy as np
import pytest

from ranvier import record
from ranvier.evaluate import load_protocol
from ranvier.evaluate._bench import Bench
from ranvier.evaluate._find import targets_of
from ranvier.stage import infos_of
from ranvier.testing import check_stage

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "protocols"
RATES = {"kalunga": 256, "eegmmidb": 160, "bci2000_motor": 160, "bci2000_speller": 256, "bci2_iv": 100, "flint": 10}
QUICK = ("contract", "block_invariance")
CASES = [(p.stem, i) for p in sorted(FOLDER.glob("*.toml")) for i in range(len(load_protocol(p).pipelines))]


def fitted(name, place):
    """Fit a pipeline on noise that has the protocol's events."""
    protocol = load_protocol(FOLDER / f"{name}.toml")
    rate = next(r for start, r in RATES.items() if name.startswith(start))
    rng = np.random.default_rng(place)
    if protocol.targets is not None:
        kinds = ["feature"] * 3 + ["motion"] * 2
        x = rng.standard_normal((600, 5)) + np.cumsum(rng.standard_normal((600, 1)), axis=0) * 0.1
        rec = record.from_array(x, rate, ["a", "b", "c", "velocity_x", "velocity_y"], kind=kinds)
        goal = [targets_of(rec, protocol.targets.channels)]
    else:
        labels = [p.replace("*", "1") for p in protocol.trials.labels]
        each, n = 7 * rate, 12
        events = [(rate + i * each, labels[i % len(labels)]) for i in range(n)]
        events += [(at, protocol.trials.item.replace("*", "1")) for at, _ in events if protocol.trials.item]
        rec = record.from_array(rng.standard_normal(((n + 1) * each, 4)), rate, events=events)
        goal = protocol.trials.find(rec).trials
    bench = Bench.of(protocol.pipelines[place].what, [rec])
    whole = bench.whole(bench.fit(goal))
    return whole, infos_of(whole, rec)


@pytest.mark.parametrize(("name", "place"), CASES)
def test_a_shipped_pipeline_is_the_same_for_any_cut(name, place):
    whole, infos = fitted(name, place)
    check_stage(whole, *infos, only=QUICK)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "place"), CASES)
def test_a_shipped_pipeline_keeps_the_whole_suite(name, place):
    whole, infos = fitted(name, place)
    check_stage(whole, *infos)
