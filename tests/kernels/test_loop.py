"""The generated loop against its definition in plain numpy; faults planted in its text are found."""

import re

import numpy as np
import pytest
from numba.core.event import install_recorder

from ranvier.kernels import Crossings, Gate, Level, Loop, Program, Step, Store, Tally, Work
from ranvier.kernels import _loop as loop_module
from ranvier.kernels._loop import KINDS
from ranvier.kernels._states import bins_state, channel_state, crossings_state, gate_state, tally_state
from ranvier.kernels.words import absv, add, mul
from ranvier.stream import EVENT, all_valid

from . import by_hand

HALF, GAIN = np.float32(0.5), np.float32(1.5)


def leaky(x, s, k):
    y = add(mul(k[0], x), s[0])
    return y, (mul(k[0], y),)


def leaky_prime(x, k):
    return (mul(k[0], x),)


def gain(x, s, k):
    return mul(x, k[0]), s


def add_size(x, s, k):
    return x, (add(s[0], absv(x)),)


def leaky_by_hand(x, s):
    y = type(x)(HALF) * x + s[0]
    return y, (type(x)(HALF) * y,)


class Bound:
    """A loop with its states, fed in pieces; what comes out is joined."""

    def __init__(self, spine, ends, n, dtype="f4", source=None, **options):
        result = np.dtype(dtype)
        columns, at = [], 0
        for _, e in ends:
            columns.append(at)
            at += 0 if isinstance(e, Store) or (isinstance(e, Crossings) and not e.bin) else n
        states = self.spine_states = [self._state(e, n, result) for e in spine]
        self.ends, self.columns, self.n = ends, columns, n
        self.states = [self._state(e, n, result) for _, e in ends]
        program = Program(spine, ends, columns, n, KINDS[np.dtype(source or dtype)], KINDS[result])
        self.loop = Loop(program, states, self.states, **options)

    @staticmethod
    def _state(e, n, dtype):
        if isinstance(e, Work):
            return channel_state(e, n)
        if isinstance(e, Gate):
            return gate_state(n, dtype)
        if isinstance(e, Tally):
            return tally_state(e, n, dtype)
        if isinstance(e, Crossings):
            bins = bins_state(n) if e.bin else {}
            if bins:
                bins["away"][:] = True
            return crossings_state(e, n) | bins
        return None

    def run(self, x, ok, start, cuts):
        """Return for each end what came out: (data, mask), (first, rows, mask) or events."""
        out = [[] for _ in self.ends]
        at = 0
        for n in [*cuts, len(x) - sum(cuts)]:
            part, mask = x[at : at + n], all_valid((n, self.n)) if ok[at : at + n].all() else ok[at : at + n].copy()
            found = self.loop(part, mask, start + at)
            at += n
            for j, (_, e) in enumerate(self.ends):
                if isinstance(e, Store):
                    s = self.loop.signals[j]
                    good = s.valid[:n] if found[-3] else np.ones((n, self.n), bool)
                    out[j].append((s.data[:n].copy(), good.copy()))
                elif isinstance(e, Crossings) and not e.bin:
                    out[j].append(self.loop.events[: found[-1]].view(EVENT)[:, 0].copy())
                else:
                    first, rows = found[2 * j : 2 * j + 2]
                    own = slice(self.columns[j], self.columns[j] + self.n)
                    good = self.loop.rows.valid[:rows, own] if found[-2] else np.ones((rows, self.n), bool)
                    out[j].append((first, self.loop.rows.data[:rows, own].copy(), good.copy()))
        return [self._join(o) for o in out]

    @staticmethod
    def _join(parts):
        if isinstance(parts[0], np.ndarray):
            table = np.concatenate(parts)
            return list(zip(*(table[f].tolist() for f in ("sample", "code", "source", "value")), strict=True))
        if len(parts[0]) == 2:
            return tuple(np.concatenate(p) for p in zip(*parts, strict=True))
        return parts[0][0], np.concatenate([p[1] for p in parts]), np.concatenate([p[2] for p in parts])


def scene(seed, n, t=700, dtype="f4", part=0.004):
    """Make noise and a mask: mostly well, at times single cells, a channel, all but one, everything."""
    rng = np.random.default_rng(seed)
    x = (20 * rng.standard_normal((t, n))).astype(dtype)
    x[rng.random(x.shape) < 0.01] -= 90
    ok = np.ones((t, n), bool)
    late = t * 2 // 3
    ok[late:] = rng.random((t - late, n)) > part
    ok[300:310, n // 2] = False
    ok[180:190, 1:] = False
    ok[250:254] = False
    return x, ok


def same(got, wanted):
    """Refuse what is not equal to the bit."""
    if isinstance(wanted, list):
        assert got == [tuple(v) for v in wanted]
        return
    for a, b in zip(got, wanted, strict=True):
        assert np.array_equal(a, b), np.argwhere(np.asarray(a) != np.asarray(b))[:1]
        assert not isinstance(b, np.ndarray) or a.dtype == b.dtype


CUTS = ([], [1, 2, 3, 64, 65, 1, 130], [300, 13])
FILTER = Work((Step(leaky, (HALF,), 1, leaky_prime),), 5)
SCALE = Work((Step(gain, (GAIN,)),))
HEARD = Crossings(2.5, 7, 2, 31, 0.2)
COUNTED = Crossings(2.5, 7, 2, 31, 0.2, 20)
MEAN = Tally(add_size, 12, 5, 40)


@pytest.mark.parametrize(("n", "dtype"), [(21, "f4"), (5, "f8")])
def test_a_body_whose_signal_is_stored(n, dtype):
    x, ok = scene(1, n, dtype=dtype)
    step = Step(leaky, (HALF,), 1, leaky_prime, dtype)
    real = np.dtype(dtype).type
    wanted = by_hand.work(x, ok, leaky_by_hand, lambda v: (real(HALF) * v,), 5)
    for cuts in CUTS:
        bound = Bound([Work((step,), 5)], [(0, Store())], n, dtype)
        same(bound.run(x, ok, 40, cuts)[0], wanted)


@pytest.mark.parametrize("flat", [0, 4])
def test_the_entrance_alone(flat):
    n = 19
    x, ok = scene(2, n)
    x = np.round(x / 10) * 10
    x[100:104, 3], x[120:126, 4], x[130, 5], x[131, 6], x[400:406, 18] = 7, 9, np.nan, -np.inf, 3
    judged = np.arange(n) != 4
    wanted = by_hand.gate(x, ok, np.float32(60), judged, flat)
    spine = [Gate(np.where(judged, 60, np.inf), judged, flat)]
    for cuts in CUTS:
        same(Bound(spine, [(0, Store())], n).run(x, ok, 3, cuts)[0], wanted)


@pytest.mark.parametrize(
    ("n", "size", "dtype", "width"), [(72, 72, "f8", 16), (37, 37, "f4", 8), (64, 16, "f4", 16), (128, 128, "f4", 16)]
)
def test_means_of_groups(n, size, dtype, width):
    x, ok = scene(3, n, 330, dtype)
    wanted = by_hand.level(x, ok, size, 3)
    for cuts in CUTS[:2]:
        got = Bound([Level(size, 3)], [(0, Store())], n, dtype, width=width).run(x, ok, 3, cuts)[0]
        same(got, wanted)


def test_sums_over_hops():
    n = 18
    x, ok = scene(4, n, 1500)
    for tally in (MEAN, Tally(add_size, 300, 2, 250), Tally(add_size, 1, 1, 1)):
        for start in (0, 7, 255):
            bound = Bound([SCALE], [(0, tally)], n)
            got = bound.run(x, ok, start, CUTS[1])[0]
            same(got, by_hand.tally(GAIN * x, ok, start, tally.hop, tally.hops, tally.need))
            assert got[2].any()


def test_crossings_as_events_and_in_bins():
    n = 35
    x, ok = scene(5, n, 1200)
    events, listened = by_hand.crossings(x, ok, 13, HEARD)
    assert {e[1] for e in events} == {0, 1, 2}
    for cuts in ([100] * 11, [1, 2, 3, 64, 65, *[97] * 10]):
        same(Bound([], [(-1, HEARD)], n).run(x, ok, 13, cuts)[0], events)
    for cuts in CUTS:
        same(Bound([], [(-1, COUNTED)], n).run(x, ok, 13, cuts)[0], by_hand.bins(events, listened, 13, 20))


N, START = 40, 23
JUDGED = np.ones(N, bool)
WHOLE = [Gate(np.full(N, 100.0), JUDGED, 6), SCALE, Level(N, 3), FILTER]
ENDS = [(3, Store()), (3, MEAN), (3, COUNTED)]


def whole(seed=6):
    """Return a scene for the whole chain and what its ends give."""
    x, ok = scene(seed, N, 900)
    x[30:45, 7], x[500, 9], x[640:650, 3] = 4, np.nan, 500
    y, good = by_hand.gate(x, ok, np.float32(100), JUDGED, 6)
    y, good = by_hand.work(y, good, lambda v, s: (GAIN * v, s), None, 0)
    y, good = by_hand.level(y, good, N, 3)
    y, good = by_hand.work(y, good, leaky_by_hand, lambda v: (HALF * v,), 5)
    events, listened = by_hand.crossings(y, good, START, COUNTED)
    ends = [(y, good), by_hand.tally(y, good, START, 12, 5, 40), by_hand.bins(events, listened, START, 20)]
    return x, ok, ends


@pytest.mark.parametrize(
    "width", [16, pytest.param(4, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.slow)]
)
def test_a_whole_chain_with_three_ends(width):
    x, ok, wanted = whole()
    for cuts in CUTS:
        for got, end in zip(Bound(WHOLE, ENDS, N, width=width).run(x, ok, START, cuts), wanted, strict=True):
            same(got, end)


def test_counts_that_come_as_integers():
    x, ok = scene(7, 20)
    for dtype in ("i2", "i4"):
        given = np.round(x).astype(dtype)
        bound = Bound([SCALE], [(0, Store())], 20, source=dtype)
        y = np.where(ok, GAIN * given.astype("f4"), np.float32(0))
        same(bound.run(given, ok, 0, CUTS[1])[0], (y, ok))


def _small(x, ok):
    """Return small programs with what their ends give, by name."""
    real, judged = np.float32, np.ones(20, bool)
    events, listened = by_hand.crossings(x, ok, 0, HEARD)
    held = by_hand.gate(x, ok, real(60), judged, 4)
    prime = lambda v: (HALF * v,)  # noqa: E731
    return {
        "filter": ([FILTER], Store(), lambda: by_hand.work(x, ok, leaky_by_hand, prime, 5)),
        "gate": ([Gate(np.full(20, 60.0), judged, 4)], Store(), lambda: held),
        "mean": (
            [Level(20, 17), FILTER],
            Store(),
            lambda: by_hand.work(*by_hand.level(x, ok, 20, 17), leaky_by_hand, prime, 5),
        ),
        "gate and filter": (
            [Gate(np.full(20, 200.0), judged), FILTER],
            Store(),
            lambda: by_hand.work(*by_hand.gate(x, ok, real(200), judged, 0), leaky_by_hand, prime, 5),
        ),
        "sums": ([], MEAN, lambda: by_hand.tally(x, ok, 0, 12, 5, 40)),
        "bins": ([], COUNTED, lambda: by_hand.bins(events, listened, 0, 20)),
        "events": ([], HEARD, lambda: events),
    }


FAULTS = {
    "no priming": ("filter", r"select\(fresh, q\[0\], s0_0\[0\]\)", "s0_0[0]"),
    "nothing settles": ("filter", r"ok = both\(ok, eq\(wait0, .*\)\)", "ok = ok"),
    "the entrance lets values through": ("gate", r"held0 = select\(ok, v, held0\)", "held0 = v"),
    "flat is not ended": ("gate", r"select\(same, longer, like\(run0, 1\)\)", "longer"),
    "masks of the tile before stay": (
        "gate and filter",
        r"store_mask\((.*) \+ t \* o_row \+ c, load_m",
        r"store_mask(\1, load_m",
    ),
    "a group without a mean goes on": ("mean", r"int64\(3\) if lack else ", ""),
    "means divide by all": ("mean", r"\(max\(number, 1\)\)", "(20)"),
    "means hear what is invalid": ("mean", r"v = select\(ok, v, zero\)", "v = v"),
    "sums hear what is invalid": ("sums", r"select\(fine, part0, .*\)", "part0"),
    "sums count what is invalid": ("sums", r"select\(fine, (iadd\(.*\)), load_i4\(\w+\)\)", r"\1"),
    "bins that nobody heard": ("bins", r"missing0 = either\(missing0, away0\)", "missing0 = missing0"),
    "crossings of what is invalid": ("events", r"hit = both\(ok, hit\)", "hit = hit"),
}


QUICK = ("no priming", "masks of the tile before stay", "a group without a mean goes on", "sums hear what is invalid")


@pytest.mark.parametrize("fault", [f if f in QUICK else pytest.param(f, marks=pytest.mark.slow) for f in FAULTS])
def test_a_fault_in_the_text_is_found(monkeypatch, fault):
    which, pattern, put = FAULTS[fault]
    load = loop_module.load_source
    changed = []

    def load_changed(text):
        other, n = re.subn(pattern, put, text)
        changed.append(n)
        return load(other)

    x, ok = scene(6, 20)
    ok[3:9, 2], ok[100:120, 16:], x[560:570, 3] = False, False, 7
    spine, end, by_hand_gives = _small(x, ok)[which]
    monkeypatch.setattr(loop_module, "load_source", load_changed)
    bound = Bound(spine, [(len(spine) - 1, end)], 20)
    assert changed[0] > 0, "the fault was not planted: its text is no longer there"
    (got,), wanted = bound.run(x, ok, 0, []), by_hand_gives()
    with pytest.raises(AssertionError):
        same(got, wanted)


@pytest.mark.parametrize("planted", [False, True])
def test_a_state_is_held_while_its_channel_is_invalid(monkeypatch, planted):
    x, ok = scene(6, 20)
    ok[-20:, 2] = False
    load = loop_module.load_source
    if planted:
        pattern = r"select\(ok, q\[0\], s0_0\[0\]\)"
        monkeypatch.setattr(loop_module, "load_source", lambda text: load(re.sub(pattern, "q[0]", text)))
    bound = Bound([FILTER], [(0, Store())], 20)
    bound.run(x, ok, 0, CUTS[1])
    held: list = []
    by_hand.work(x, ok, leaky_by_hand, lambda v: (HALF * v,), 5, held)
    assert np.array_equal(bound.spine_states[0]["f4"][0], np.array(held, "f4")) is not planted


@pytest.mark.parametrize("which", ["filter", "gate", "mean", "gate and filter", "sums", "bins", "events"])
def test_without_a_fault_nothing_is_found(which):
    x, ok = scene(6, 20)
    ok[3:9, 2], ok[100:120, 16:], x[560:570, 3] = False, False, 7
    spine, end, by_hand_gives = _small(x, ok)[which]
    bound = Bound(spine, [(len(spine) - 1, end)], 20)
    same(bound.run(x, ok, 0, [])[0], by_hand_gives())


def test_a_second_loop_of_the_same_program_compiles_nothing_and_its_text_names_no_place():
    first = Bound(WHOLE, ENDS, N)
    with install_recorder("numba:compile") as recorder:
        second = Bound(WHOLE, ENDS, N)
    assert not recorder.buffer
    assert first.loop.text == second.loop.text
    for line in first.loop.text.splitlines():
        assert not re.search(r"['\"]/|/home|/tmp|/work|\\\\|site-packages", line), line
    x, ok, wanted = whole()
    second.run(x, ok, START, [])
    for got, end in zip(first.run(x, ok, START, []), wanted, strict=True):
        same(got, end)


@pytest.mark.slow
def test_many_ends_with_a_row_a_sample_stay_in_their_memory():
    n, ends = 3, [(0, Tally(add_size, 1, 1, 1)) for _ in range(9)]
    x, ok = scene(8, n, 400)
    bound = Bound([SCALE], ends, n)
    wanted = by_hand.tally(GAIN * x, ok, 0, 1, 1, 1)
    for got in bound.run(x, ok, 0, [64, 200]):
        same(got, wanted)
    notes = bound.loop.text.count("put(s")
    assert notes == 19


@pytest.mark.slow
def test_threads_that_share_the_channels_change_nothing(monkeypatch):
    monkeypatch.setattr(loop_module, "LEAST_A_CORE", 2048)
    n = 4112
    x, ok = scene(9, n, 320)
    ends = [(1, Tally(add_size, 10, 2, 15)), (1, COUNTED)]
    alone = Bound([Level(16, 3), FILTER], ends, n, cores=1).run(x, ok, 5, [1, 30, 64])
    for _ in range(3):
        shared = Bound([Level(16, 3), FILTER], ends, n, cores=2)
        assert shared.loop.threads == 2
        for a, b in zip(shared.run(x, ok, 5, [1, 30, 64]), alone, strict=True):
            same(a, b)
