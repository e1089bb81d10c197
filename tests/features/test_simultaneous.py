"""RejectSimultaneous against a plain search over all pairs of crossings, and planted volleys."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.denoise import Bandpass
from ranvier.errors import ContractError
from ranvier.features import BinnedCounts, RejectSimultaneous, Spikes
from ranvier.stage import Run
from ranvier.stream import Block, EventInfo, Events, StreamInfo, merge_events

SEED, N = 3301, 8
SIGNAL = StreamInfo.signal(30_000, N)
INFO = EventInfo.of(SIGNAL, {0: "spike", 1: "lost", 2: "back"}, sources=SIGNAL.channels.names)


def some(rng, n=200, length=600):
    events = Events.at(np.sort(rng.integers(0, length, n)), rng.choice([0, 0, 0, 0, 1, 2], n), stop=length + 50)
    events.table["source"] = rng.integers(0, N, n)
    return events


def by_hand(table, near, share):
    keep = []
    for row in table:
        others = {e["source"] for e in table if e["code"] == 0 and abs(int(e["sample"]) - int(row["sample"])) <= near}
        keep.append(row["code"] != 0 or len(others) <= share * N)
    return table[np.array(keep)]


@given(st.lists(st.integers(0, 200), max_size=8), st.integers(0, 2**32 - 1))
def test_it_is_the_definition_however_it_is_cut(cuts, seed):
    events = some(np.random.default_rng(seed))
    run, at, parts = Run(RejectSimultaneous(share=0.3), INFO), 0, []
    for n in [*cuts, 650]:
        parts.append(run.push(events.cut(min(at, 650), min(at + n, 650))))
        at += n
    out = merge_events(parts)
    wanted = by_hand(events.table, 4, 0.3)  # 0.15 ms at 30 kHz: 4.5, to even
    assert 0 < len(wanted) < events.n
    np.testing.assert_array_equal(out.table, wanted)
    assert (out.start, out.stop) == (0, 646)


def test_volleys_go_and_spikes_stay():
    """Planted: neurons on single channels, and steps of the reference that all channels see."""
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((60_000, N)).astype("f4") * 10
    neurons = np.sort(rng.choice(np.arange(20_000, 59_000, 60), 120, replace=False))
    volleys = np.arange(20_030, 59_000, 3000)
    for i, t in enumerate(neurons):
        x[t : t + 6, i % N] -= 300
    for t in volleys:
        x[t : t + 6] -= 300
    front = Bandpass(300, 6000) | Spikes(threshold=8.0)
    plain = Run(front, SIGNAL).push(Block(x)).table
    kept = Run(front | RejectSimultaneous(), SIGNAL).push(Block(x)).table
    plain, kept = (t[t["code"] == 0]["sample"] for t in (plain, kept))

    def heard(found, planted):
        return sum(np.abs(found - t).min() <= 10 for t in planted)

    assert heard(plain, volleys) == len(volleys)
    assert heard(kept, volleys) == 0
    assert heard(plain, neurons) == heard(kept, neurons) == len(neurons)


def test_groups_count_for_themselves():
    names = SIGNAL.channels.names
    stage = RejectSimultaneous(share=0.5, groups=(names[:2], names[2:6]))
    events = Events.at([10, 10, 30, 30, 50, 50, 50], stop=100)
    events.table["source"] = [0, 1, 2, 3, 6, 7, 0]
    out = Run(stage, INFO).push(events)
    assert out.table["sample"].tolist() == [30, 30, 50, 50, 50]


def test_bins_count_what_is_left():
    chain = RejectSimultaneous(share=0.5) | BinnedCounts(length=0.001)
    events = Events.at([0] * N + [5] * N + [40], [2] * N + [0] * N + [0], stop=100)
    events.table["source"] = [*range(N), *range(N), 3]
    out = Run(chain, INFO).push(events)
    assert out.data[:, 3].tolist() == [0, 1, 0]
    assert out.data.sum() == 1


def test_what_cannot_be_is_refused():
    for stage, words in (
        (RejectSimultaneous(share=1.5), "share"),
        (RejectSimultaneous(within=-1.0), "within"),
        (RejectSimultaneous(groups=(("nobody",),)), "'nobody'"),
    ):
        with pytest.raises(ContractError, match=words):
            stage.describe(INFO)
