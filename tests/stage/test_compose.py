"""Chains, parallels, graphs, align and runs: wiring, alignment, control, save and restore."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.denoise import Bandpass, Highpass, Lowpass, Notch
from ranvier.errors import ContractError, StateError
from ranvier.stage import Chain, Graph, Learner, Node, Port, Run, State, Tags, need_signal
from ranvier.stream import Block, Control, EventInfo, Events, StreamInfo, concatenate
from ranvier.testing import check_stage

INFO = StreamInfo.signal(250, 4)
RNG = np.random.default_rng(7)
X = RNG.standard_normal((1500, 4)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Shift(Learner):
    """Adds a constant that can be learned."""

    by: float = 0.0
    tags = Tags(exactness="portable")

    def describe(self, *infos):
        return need_signal(self, infos[0])

    def init(self, *infos):
        self.describe(*infos)
        return State(None, by=np.array([self.by], np.float32))

    def process(self, state, *chunks):
        return Block(chunks[0].data + state["by"], chunks[0].start, chunks[0].valid)

    def learn(self, state, targets):
        state["by"][0] = targets["by"]


@dataclass(frozen=True, eq=False)
class Delay(Shift):
    """Claims a delay and an offset, to test alignment."""

    hold: int = 0

    def describe(self, *infos):
        info = need_signal(self, infos[0])
        return info.but(delay=info.delay + Fraction(self.hold, 250))

    def init(self, *infos):
        return State(None, past=np.zeros((self.hold, 4), np.float32), by=np.array([self.by], np.float32))

    def process(self, state, *chunks):
        both = np.concatenate([state["past"], chunks[0].data])
        out = both[: chunks[0].n] + state["by"]
        state["past"][:] = both[chunks[0].n :]
        return Block(out.astype(np.float32), chunks[0].start)


def test_chain_flattens_and_describes_the_sum():
    chain = Notch(50) | (Bandpass(8, 30) | Lowpass(40))
    assert isinstance(chain, Chain)
    assert len(chain.stages) == 3
    one, two = Notch(50).describe(INFO), Bandpass(8, 30).describe(Notch(50).describe(INFO))
    assert chain.describe(INFO).delay == Lowpass(40).describe(two).delay > two.delay > one.delay
    assert chain.id != (Bandpass(8, 30) | Notch(50) | Lowpass(40)).id


def test_ports_of_the_wrong_kind_are_refused():
    events = EventInfo.of(INFO, {})
    with pytest.raises(ContractError, match="needs signal at its port 'signal'; got events"):
        (Notch(50) | Lowpass(40)).describe(events)
    with pytest.raises(ContractError, match="needs 1 input"):
        (Notch(50) | Lowpass(40)).describe(INFO, INFO)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=10))
def test_parallel_holds_the_quick_branch_back(cuts):
    stage = Delay(hold=7) & Delay(by=1000.0)
    out = stage.describe(INFO)
    assert (out.delay, out.n_channels) == (Fraction(7, 250), 8)
    assert stage.residue(INFO) == (0, 0)
    run, at, outs = Run(stage, INFO), 0, []
    for n in [*cuts, 1500]:
        outs.append(run.push(Block(X[at : at + n], at)))
        at = min(at + n, len(X))
    y = concatenate(outs)
    assert y.start == 7
    assert np.array_equal(y.data[:, :4], X[: y.n])
    assert np.array_equal(y.data[:, 4:], X[: y.n] + np.float32(1000))


def test_parallel_declares_what_is_left_below_a_sample():
    stage = Bandpass(8, 12) & Bandpass(20, 30)
    early = stage.residue(INFO)
    assert all(0 <= r < Fraction(1, 250) for r in early)
    assert min(early) == 0


def test_parallel_and_nested_chains_conform():
    check_stage((Bandpass(8, 12) & Bandpass(20, 30) & Highpass(1)) | Lowpass(40), INFO)


def graph():
    return Graph(
        (Port("eeg", "signal"),),
        (
            Node("clean", Notch(50) | Highpass(1), ("eeg",)),
            Node("mu", Bandpass(8, 12), ("clean",)),
            Node("beta", Bandpass(18, 26), ("clean",)),
        ),
        ("mu", "beta", "clean"),
    )


def test_graph_is_the_chains_that_it_holds():
    g = graph()
    mu, beta, clean = Run(g, INFO).push(Block(X))
    assert np.array_equal(mu.data, Run(Notch(50) | Highpass(1) | Bandpass(8, 12), INFO).push(Block(X)).data)
    assert np.array_equal(clean.data, Run(Notch(50) | Highpass(1), INFO).push(Block(X)).data)
    assert beta.data.shape == X.shape
    assert [p.name for p in g.outputs] == ["mu", "beta", "clean"]
    check_stage(g, INFO, only=["contract", "block_invariance", "segment", "state_round_trip", "serialises", "errors"])


@pytest.mark.parametrize(
    ("nodes", "results", "text"),
    [
        ((Node("a", Notch(50), ("b",)),), ("a",), "stand above"),
        ((Node("x", Notch(50), ("x",)),), ("x",), "taken"),
        ((Node("a.b", Notch(50), ("x",)),), ("x",), "without a dot"),
        ((Node("a", Notch(50), ("x", "x")),), ("a",), "needs 1 input"),
        ((Node("a", Notch(50), ("x",)),), ("z",), "results that exist"),
    ],
)
def test_graph_refuses_what_is_not_wired(nodes, results, text):
    with pytest.raises(ContractError, match=text):
        Graph((Port("x", "signal"),), nodes, results)


def test_swap_takes_effect_at_its_sample_wherever_the_cut_lies():
    def one(cuts):
        run = Run(Notch(50) | Shift(0.0), INFO)
        run.swap("1", Shift(5.0), at=777)
        outs, at = [], 0
        for n in cuts:
            outs.append(run.push(Block(X[at : at + n], at)))
            at += n
        return concatenate(outs), run

    whole, run = one([1500])
    parts, _ = one([700, 77, 3, 720])
    plain = Run(Notch(50), INFO).push(Block(X)).data
    assert np.array_equal(whole.data, parts.data)
    assert np.array_equal(whole.data[:777], plain[:777])
    assert np.array_equal(whole.data[777:], plain[777:] + np.float32(5))
    assert [(c.kind, c.at_sample, c.payload["stage"]) for c in run.controls] == [("swap", 777, Shift(5.0).id)]


def test_swap_in_a_graph_and_refusals():
    run = Run(graph(), INFO)
    run.swap("clean/0", Notch(50, quality=30), at=10)
    run.push(Block(X))
    with pytest.raises(ContractError, match="node that exists"):
        run.swap("nowhere", Notch(60), at=20)
    with pytest.raises(ContractError, match="same stream"):
        run.swap("mu", Bandpass(8, 12, order=2), at=20)


def test_learning_is_a_control_applied_at_a_sample():
    run = Run(Shift(), INFO)
    run.control(Control(at_sample=100, kind="learn", payload={"by": 3.0}))
    y = run.push(Block(X)).data
    assert np.array_equal(y[:100], X[:100])
    assert np.array_equal(y[100:], X[100:] + np.float32(3))
    run.control(Control(at_sample=2000, kind="learn", node="9", payload={}))
    with pytest.raises(StateError, match="no node"):
        run.push(Block(np.zeros((600, 4), np.float32), 1500))


def test_restore_refuses_another_stages_state():
    stage = Bandpass(8, 30)
    saved = Run(stage, INFO).save()
    other = Bandpass(10, 20)
    with pytest.raises(StateError, match=f"Bandpass {other.id}; got that of {stage.id}"):
        Run(other, INFO).restore(saved)
    with pytest.raises(StateError, match="an unnamed stage"):
        Run(stage, INFO).restore({k: a for k, a in saved.items() if k != "stage.id"})
    with pytest.raises(StateError, match="restore needs next as int64"):
        Run(stage, INFO).restore({**saved, "next": np.zeros(2)})
    with pytest.raises(StateError, match="differs in"):
        Run(stage, INFO).restore({**saved, "more": np.zeros(1)})


def test_after_a_swap_the_state_is_that_of_the_present_stage():
    run = Run(Notch(50) | Shift(0.0), INFO)
    run.swap("1", Shift(5.0), at=100)
    with pytest.raises(StateError, match="no Control waits; got 1, the first a 'swap' for sample 100"):
        run.save()
    run.push(Block(X[:200]))
    again = Run(Notch(50) | Shift(5.0), INFO)
    again.restore(run.save())
    assert np.array_equal(again.push(Block(X[200:], 200)).data, run.push(Block(X[200:], 200)).data)
    with pytest.raises(StateError, match="same parameters"):
        Run(Notch(50) | Shift(0.0), INFO).restore(run.save())


def test_run_refuses_what_was_not_fitted_and_wrong_chunks():
    from ranvier.stage import Estimator

    class Nothing(Estimator):
        def fit_samples(self, info, samples):
            raise AssertionError

    with pytest.raises(ContractError, match="never fitted"):
        Run(Nothing(), INFO)
    with pytest.raises(ContractError, match="got events"):
        Run(Notch(50), INFO).push(Events(0, 10))


def test_a_jump_behind_a_quiet_stretch_is_primed_afresh_without_a_mask():
    run = Run(Lowpass(40), INFO)
    run.push(Block(X[:500]))
    assert run.push(Block(X[500:600], 500)).valid.all()
    jumped = run.push(Block(X[600:900], 10_000))
    fresh = Run(Lowpass(40), INFO).push(Block(X[600:900], 10_000))
    assert np.array_equal(jumped.data, fresh.data)
    assert np.array_equal(jumped.valid, fresh.valid)
    assert not jumped.valid[0].any()


def test_restore_into_a_run_that_has_settled_brings_the_waiting_back():
    young, old = Run(Lowpass(40), INFO), Run(Lowpass(40), INFO)
    young.push(Block(X[:5]))
    old.push(Block(X[:500]))
    old.restore(young.save())
    a, b = young.push(Block(X[5:100], 5)), old.push(Block(X[5:100], 5))
    assert np.array_equal(a.valid, b.valid)
    assert np.array_equal(a.data, b.data)


def test_a_parameter_cannot_hide_what_a_stage_does():
    with pytest.raises(ContractError, match="'process'"):

        class Hidden(Shift):
            process: float = 1.0


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((10, 4), np.float64),
        np.zeros((10, 4), ">f4"),
        np.zeros((10, 3), np.float32),
        np.zeros((10, 400), np.float32),
        np.zeros((10, 4, 1), np.float32),
        np.zeros((10, 4), object),
        np.frombuffer(b"x" * 161, np.uint8)[1:].view(np.float32).reshape(10, 4),
    ],
    ids=["f8", "big-endian", "fewer", "more", "deeper", "objects", "misaligned"],
)
def test_blocks_that_were_not_described_never_reach_a_kernel(data):
    with pytest.raises(ContractError, match=r"as described|multiples of their size"):
        Run(Notch(50), INFO).push(Block(data))


def test_odd_memory_gives_the_same_bits():
    wanted = Run(Notch(50), INFO).push(Block(X)).data
    for odd in (np.asfortranarray(X), X[::-1][::-1], np.concatenate([X, X], axis=1)[:, :4], X[:, ::-1][:, ::-1]):
        assert np.array_equal(Run(Notch(50), INFO).push(Block(odd)).data, wanted)
