"""Align: what comes out depends on samples and Controls alone, never on the order of arrival."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.errors import StateError
from ranvier.stage import Align, Graph, Node, Port, Run
from ranvier.stream import Block, Control, StreamInfo, concatenate
from ranvier.testing import report_stage

ONE = np.ones((50, 1))
A, B = StreamInfo.signal(100, 1, dtype=float, name="a"), StreamInfo.signal(100, 1, dtype=float, name="b")


def naive_align(a, b, ratio, late):
    """For each sample of a: the newest sample of b that is not later, by exact fractions."""
    rows = []
    for i in range(len(a)):
        j = int(((Fraction(i, 100) - late) * 100 * ratio) // 1)
        rows.append((*a[i], *(b[j] if 0 <= j < len(b) else np.zeros(b.shape[1])), 0 <= j < len(b)))
    return np.array(rows)


@pytest.mark.parametrize(("ratio", "late"), [(Fraction(5, 2), Fraction(0)), (Fraction(1, 3), Fraction(3, 100))])
@given(seed=st.integers(0, 10**6))
def test_align_joins_by_time_whatever_arrives_first(ratio, late, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((300, 2)), rng.standard_normal((int(300 * ratio), 1))
    infos = StreamInfo.signal(100, 2, dtype=float, name="a"), StreamInfo.signal(100 * ratio, 1, dtype=float, name="b")
    run = Run(Align(("a", "b"), (0.0, float(late)), patience=1.0), *infos)
    outs, i, j = [], 0, 0
    while i < len(a) or j < len(b):
        n = int(rng.integers(0, 60))
        m = max(0, min(len(b), int((i + n + rng.integers(-40, 40)) * ratio)) - j)
        outs.append(run.push(Block(a[i : i + n], i), Block(b[j : j + m], j)))
        i, j = min(i + n, len(a)), j + m
    y = concatenate(outs)
    wanted = naive_align(a, b, ratio, late)[: y.n]
    assert y.n > 200
    assert np.array_equal(y.data, wanted[:, :3])
    assert np.array_equal(y.valid[:, 2], wanted[:, 3] == 1)


def change(kind, at, port="b"):
    return Control(at_sample=at, kind=kind, payload={"port": port})


def stream(rng, n, jumps):
    """Indices with jumps ahead, values and a mask of n samples."""
    steps = np.ones(n, int)
    steps[rng.integers(1, n, jumps)] += rng.integers(1, 90, jumps)
    return np.cumsum(steps) - 1, rng.standard_normal((n, 1)), rng.random((n, 1)) > 0.05


def naive(a, b, ratio, late, controls):
    """All samples at once, one dictionary, no queue: rows of index, both values, both masks."""
    have = {int(i): (x, v) for i, x, v in zip(*b[:2], b[2], strict=True)}
    rows = []
    for i, x, v in zip(*a, strict=True):
        past = [c for c in controls if c.at_sample <= i]
        silent = bool(past) and past[-1].kind == "timeout"
        j = int((int(i) * ratio - late * ratio * 100) // 1)
        if not silent and j > b[0][-1]:
            break
        y, w = (0.0, False) if silent or j not in have else (have[j][0][0], have[j][1][0])
        rows.append((i, x[0] * v[0], y * w, v[0], w))
    return np.array(rows, float).reshape(-1, 5)


def arrive(rng, parts, controls, ratio, late, save):
    """Push both streams in random pieces, each Control at any time before its sample comes in."""
    slow, fast = A, StreamInfo.signal(100 * ratio, 1, dtype=float, name="b")
    stage = Align(("a", "b"), (0.0, float(late)), patience=1000.0)
    run, rows, at, todo, idle = Run(stage, slow, fast), [], [0, 0], list(controls), 0
    while idle < 20:
        chunks = []
        for p, (index, x, v) in enumerate(parts):
            i, stop = at[p], min(at[p] + int(rng.integers(0, 80)) * int(rng.integers(0, 2)), len(index))
            while i < stop and index[stop - 1] - index[i] != stop - 1 - i:
                stop -= 1  # a block never holds a jump
            begin = int(index[i]) if i < len(index) else int(index[-1]) + 1
            chunks.append(Block(x[i:stop], begin, v[i:stop]))
            at[p] = stop
        while todo and (todo[0].at_sample < chunks[0].stop or rng.random() < 0.2):
            run.control(todo.pop(0))
        out = run.push(*chunks)
        for k in range(out.n):
            rows.append((out.start + k, *out.data[k], *out.valid[k]))
        idle = 0 if out.n or chunks[0].n or chunks[1].n else idle + 1
        idle = 0 if any(i < len(q[0]) for i, q in zip(at, parts, strict=True)) else idle
        if save and rng.random() < 0.1:
            saved, run = run.save(), Run(stage, slow, fast)
            run.restore(saved)
    return np.array(rows, float).reshape(-1, 5)


@pytest.mark.parametrize(("ratio", "late"), [(1, 0), (Fraction(5, 2), 0), (Fraction(1, 3), Fraction(3, 100))])
@given(seed=st.integers(0, 10**6), jumps=st.tuples(st.integers(0, 4), st.integers(0, 4)), n_controls=st.integers(0, 6))
def test_any_order_of_arrival_gives_what_all_samples_at_once_give(ratio, late, seed, jumps, n_controls):
    rng = np.random.default_rng(seed)
    parts = stream(rng, 300, jumps[0]), stream(rng, int(300 * ratio), jumps[1])
    times = np.sort(rng.integers(0, 500, n_controls))
    controls = [change(("timeout", "resume")[int(rng.integers(0, 2))], int(t)) for t in times]
    wanted = naive(*parts, Fraction(ratio), Fraction(late), controls)
    for again in range(3):
        got = arrive(np.random.default_rng([seed, again]), parts, controls, ratio, late, save=again == 2)
        assert np.array_equal(got, wanted)


def test_samples_before_a_jump_of_the_first_stream_are_joined_in_a_block_of_their_own():
    run = Run(Align(("a", "b")), A, B)
    assert run.push(Block(ONE), Block(ONE[:20])).n == 20
    assert run.push(Block(ONE, 1000), Block(ONE[:0], 20)).n == 0
    before = run.push(Block(ONE[:0], 1050), Block(ONE[:30], 20))
    assert (before.start, before.n, before.valid.all()) == (20, 30, True)
    behind = run.push(Block(ONE[:0], 1050), Block(ONE[:40], 1010))
    assert (behind.start, behind.n) == (1000, 50)
    assert np.array_equal(behind.valid[:, 1], np.arange(50) >= 10)


def test_a_timeout_holds_whether_data_came_early_or_late():
    for early in (True, False):
        run = Run(Align(("a", "b")), A, B)
        run.control(change("timeout", 20))
        run.control(change("resume", 40))
        first, second = [Block(ONE[:0], 0), Block(ONE)], [Block(ONE), Block(ONE[:0], 50)]
        if not early:
            first, second = [Block(ONE), Block(ONE[:0], 0)], [Block(ONE[:0], 50), Block(ONE)]
        out = concatenate([run.push(*first), run.push(*second)])
        assert np.array_equal(out.valid[:, 1], (np.arange(50) < 20) | (np.arange(50) >= 40))
        assert not out.data[20:40, 1].any()


def test_a_silent_stream_is_waited_for_until_a_control_says_otherwise():
    run = Run(Align(("a", "b")), A, B)
    assert run.push(Block(ONE), Block(ONE[:20])).n == 20
    due = run.push(Block(ONE[:40], 50), Block(ONE[:0], 20))
    assert (due.start, due.n) == (20, 0)
    run.control(change("timeout", 5))  # has come out: takes effect at the next one due
    out = run.push(Block(ONE[:10], 90), Block(ONE[:0], 20))
    assert (out.start, out.n) == (20, 80)
    assert out.valid[:, 0].all()
    assert not out.valid[:, 1].any()
    assert [c.at_sample for c in run.controls] == [20]


def test_what_cannot_be_joined_is_refused():
    with pytest.raises(StateError, match="patience"):
        Run(Align(("a", "b")), A, B).push(Block(np.ones((500, 1))), Block(ONE[:1]))
    run = Run(Align(("a", "b")), A, B)
    run.push(Block(ONE), Block(ONE))
    with pytest.raises(StateError, match="indices that grow; got sample 30 of 'b'"):
        run.push(Block(ONE, 50), Block(ONE, 30))
    with pytest.raises(StateError, match="one of b; got 'a'"):
        run.control(change("timeout", 60, "a"))
    for k in range(256):
        run.control(change(("timeout", "resume")[k % 2], 1000 + k))
    with pytest.raises(StateError, match="at most 256"):
        run.control(change("timeout", 2000))


def test_old_changes_make_room_for_new_ones():
    run = Run(Align(("a", "b")), A, B)
    for k in range(600):
        run.control(change(("timeout", "resume")[k % 2], k))
        out = run.push(Block(ONE[:1], k), Block(ONE[:1], k))
        assert out.valid[:, 1].tolist() == [k % 2 == 1]


def test_a_jump_within_one_push_is_never_hidden_by_a_cut():
    from ranvier.channels import Scale

    nodes = Node("join", Align(("a", "b")), ("a", "b")), Node("end", Scale(1.0), ("join",))
    run = Run(Graph((Port("a", "signal"), Port("b", "signal")), nodes, ("end",)), A, B)
    run.push(Block(ONE), Block(ONE[:20]))
    run.push(Block(ONE, 100), Block(ONE[:0], 20))
    run.swap("end", Scale(2.0), at=160)
    with pytest.raises(StateError, match="without a jump; got samples up to 50 and from 100 on"):
        run.push(Block(ONE, 150), Block(ONE, 150))


@pytest.mark.parametrize("other", [B, StreamInfo.signal(100, 2, name="b")])
def test_align_conforms(other):
    report = report_stage(Align(("a", "b"), (0.0, 0.013)), A, other)
    failed = {r.check: r.detail for r in report.failures}
    assert "needs a public name" in failed.pop("serialises", "needs a public name")  # no file names it alone
    assert not failed
