"""References and estimates that fade: against a plain definition, one sample after the other, and against MNE."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.channels import CommonReference, Interpolate, Laplacian, LocalReference, RobustReference
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo

SEED = 5301
RATE = 1000
GRID = np.array([(0.01 * i, 0.01 * j, 0.0) for i in range(4) for j in range(4)])
APART = np.round(np.linalg.norm(GRID[:, None] - GRID[None], axis=2), 9)
PLANE = StreamInfo.signal(RATE, Channels.of(16, "ecog", positions=[tuple(p) for p in GRID]), dtype="f8")


def ball(n, seed=SEED):
    """Return n places on the upper part of a head of 95 mm, off the origin."""
    rng = np.random.default_rng(seed)
    p = rng.standard_normal((n, 3))
    p[:, 2] = np.abs(p[:, 2]) - 0.3
    return 0.095 * p / np.linalg.norm(p, axis=1, keepdims=True) + [0.001, 0.02, 0.04]


def head(n):
    """Describe n electrodes on a head, and a trigger."""
    names, where = [f"E{i}" for i in range(n)], [tuple(p) for p in ball(n)]
    channels = Channels.of([*names, "T"], ["eeg"] * n + ["trigger"], positions=[*where, None])
    return StreamInfo.signal(RATE, channels, dtype="f8")


# The definition, written down a second time: sets, fades and held values, with full matrices.


def local(there, outer=0.0105, neighbours=3):
    """Return the sums that a local reference takes away, and how many sources each has to have."""
    m = np.zeros((16, 16))
    for i in range(16):
        ring = [j for j in range(16) if j != i and APART[i, j] <= outer]
        if len(ring) < neighbours:
            ring = sorted((j for j in range(16) if j != i), key=lambda j: (APART[i, j], j))[:neighbours]
        those = [j for j in ring if there[j]]
        m[i, those] = 1 / max(len(those), 1)
    return m


def mean(there):
    return np.tile(there / max(there.sum(), 1), (16, 1))


def estimates(there, sigma=0.01, p=1.3):
    k = np.exp(-((APART / sigma) ** p)) * there
    k[k < 0.005] = 0
    m = k / np.maximum(k.sum(axis=1, keepdims=True), 1e-300)
    m[m < 0.005] = 0
    enough = (m > 0).sum(axis=1) >= 4
    m[there | ~enough] = np.eye(16)[there | ~enough]
    return m


def defined(matrix, x, ok, fade, least, replace):
    """Work out a stage sample by sample: the numbers, and which are valid."""
    held, was, now, k = np.zeros(x.shape[1]), ok[0], ok[0], fade
    y, w = np.zeros(x.shape), np.zeros(x.shape, bool)
    for t in range(len(x)):
        held = np.where(ok[t], x[t], held)
        if k >= fade and (ok[t] != now).any():
            was, now, k = now, ok[t], 0
        a, b = matrix(was), matrix(now)
        share = 1.0 if k >= fade - 1 else (k + 1) / fade
        k += k < fade
        m = a + share * (b - a)
        y[t] = m @ held if replace else held - m @ held

        def enough(m, s, then, t=t):
            own = (m == np.eye(x.shape[1])).all(axis=1) if replace else np.zeros(x.shape[1], bool)
            sources = ((m != 0) & ok[t]).sum(axis=1) >= least
            return np.where(own, ok[t] | (s & then), sources)

        w[t] = enough(b, now, False) & ((share == 1) | enough(a, was, True)) & (ok[t] | replace)
    return np.where(w, y, 0), w


CASES = [
    (LocalReference(outer=0.0105, neighbours=3, least=2), local, 2, False),
    (RobustReference("none", least=5), mean, 5, False),
    (Interpolate("gaussian", least=4, sigma=0.01), estimates, 4, True),
]


@st.composite
def masks(draw, n=120, channels=16):
    """Draw masks that change at any sample: stretches of a channel, of all, single cells."""
    ok = np.ones((n, channels), bool)
    for _ in range(draw(st.integers(0, 12))):
        a, c = draw(st.integers(0, n - 1)), draw(st.integers(-1, channels - 1))
        ok[a : a + draw(st.integers(1, 60)), slice(None) if c < 0 else c] = False
    if draw(st.booleans()):
        ok &= np.random.default_rng(draw(st.integers(0, 99))).random(ok.shape) > 0.05
    return ok


@pytest.mark.parametrize(("stage", "matrix", "least", "replace"), CASES, ids=lambda v: type(v).__name__)
@given(ok=masks(), fade=st.sampled_from([0, 1, 2, 13]), cut=st.integers(0, 120))
def test_every_sample_is_what_the_definition_says(stage, matrix, least, replace, ok, fade, cut):
    x = np.random.default_rng(SEED).standard_normal(ok.shape) + np.arange(16)
    made = type(stage)(**{**vars(stage), "fade": fade / RATE})
    run = Run(made, PLANE)
    given_ = Block(np.where(ok, x, 1e30), 0, ok)
    parts = [run.push(given_.cut(0, cut)), run.push(given_.cut(cut, len(x)))]
    y, w = np.concatenate([p.data for p in parts]), np.concatenate([p.valid for p in parts])
    wanted, valid = defined(matrix, x, ok, fade, least, replace)
    np.testing.assert_array_equal(w, valid)
    np.testing.assert_allclose(y[w], wanted[w], rtol=0, atol=1e-11)


def lost(n=400, at=150, back=300):
    """Return electrodes with offsets of their own [uV] and a little noise, one of which is lost for a while."""
    rng = np.random.default_rng(SEED)
    x = 1000.0 * rng.standard_normal(16) + 0.01 * rng.standard_normal((n, 16))
    ok = np.ones(x.shape, bool)
    ok[at:back, 5] = False
    return x, ok


@pytest.mark.parametrize(
    "stage",
    [
        LocalReference(outer=0.0105, neighbours=3),
        Laplacian(),
        RobustReference("none"),
        Interpolate("gaussian", sigma=0.01),
    ],
    ids=lambda s: type(s).__name__,
)
def test_no_step_enters_where_an_electrode_is_lost_or_comes_back(stage):
    """A weight changes by at most 1/50 a sample, so the output by at most that part of the offsets' spread."""
    x, ok = lost()
    spread = np.ptp(x[0])
    noise = 4 * 0.06  # a difference of two noise samples, of the electrode and of its sum
    jumps = {}
    for fade in (0.0, 0.05):
        out = Run(type(stage)(**{**vars(stage), "fade": fade}), PLANE).push(Block(x, 0, ok))
        both = out.valid[1:] & out.valid[:-1]
        jumps[fade] = np.abs(np.diff(out.data, axis=0))[both].max()
    assert jumps[0.05] <= spread / 50 + noise
    assert jumps[0.0] > 20 * (jumps[0.05] - noise)  # negative control: without the fade there is a step


def test_what_has_no_memory_is_met_once_the_fade_is_over():
    x, ok = lost()
    rest = np.r_[0:150, 200:300, 350:400]  # outside the fades
    for mine, other in ((RobustReference("none"), CommonReference()), (Laplacian(), Laplacian(fade=0.0))):
        a, b = (Run(s, PLANE).push(Block(x, 0, ok)) for s in (mine, other))
        np.testing.assert_array_equal(a.valid, b.valid)
        np.testing.assert_allclose(a.data[rest], b.data[rest], rtol=0, atol=1e-9)
        assert np.abs(a.data - b.data)[200:300][ok[200:300]].max() < 1e-9 < np.abs(a.data - b.data)[150:160].max()


def test_who_is_not_around_the_lost_electrode_notices_nothing():
    x, ok = lost()
    stage = LocalReference(outer=0.0105, neighbours=1)
    a, b = (Run(stage, PLANE).push(Block(x, 0, v)) for v in (None, ok))
    far = [i for i in range(16) if i != 5 and APART[i, 5] > 0.0105]
    np.testing.assert_array_equal(a.data[:, far], b.data[:, far])
    assert b.valid[:, far].all()


def test_what_is_lost_for_good_is_estimated_as_mne_does():
    mne = pytest.importorskip("mne")
    n, bad = 40, [3, 17, 29]
    info, where = head(n), ball(n)
    x = np.random.default_rng(SEED).standard_normal((60, n + 1)) * 20
    raw = mne.io.RawArray(x[:, :n].T.copy(), mne.create_info(list(info.channels.names[:n]), RATE, "eeg"), verbose=False)
    montage = mne.channels.make_dig_montage(dict(zip(info.channels.names, where, strict=False)), coord_frame="head")
    raw.set_montage(montage)
    raw.info["bads"] = [info.channels.names[i] for i in bad]
    raw.interpolate_bads(origin=(0.001, 0.02, 0.04), reset_bads=True, verbose=False)
    ok = np.ones(x.shape, bool)
    ok[:, bad] = False
    for centre in ((0.001, 0.02, 0.04), None):  # None: the sphere is found
        out = Run(Interpolate(centre=centre), info).push(Block(x, 0, ok))
        assert out.valid.all()
        np.testing.assert_allclose(out.data[:, :n], raw.get_data().T, rtol=0, atol=1e-8)
        np.testing.assert_array_equal(out.data[:, n], x[:, n])
    raw.set_eeg_reference("average", projection=False, verbose=False)
    good = np.setdiff1d(np.arange(n), bad)
    out = Run(RobustReference(), info).push(Block(x, 0, ok))
    np.testing.assert_array_equal(~out.valid.any(axis=0), np.isin(np.arange(n + 1), bad))
    np.testing.assert_allclose(out.data[:, good], raw.get_data().T[:, good], rtol=0, atol=1e-8)
    leaning = Run(RobustReference("none"), info).push(Block(x, 0, ok)).data[:, good]
    assert np.abs(leaning - raw.get_data().T[:, good]).max() > 0.01  # negative control: another reference


def test_estimates_that_lack_sources_stay_invalid_and_marked_ones_too():
    x, ok = lost()
    marked = Run(Interpolate("gaussian", sigma=0.01, mark=True), PLANE).push(Block(x, 0, ok))
    open_ = Run(Interpolate("gaussian", sigma=0.01), PLANE).push(Block(x, 0, ok))
    np.testing.assert_array_equal(marked.data, open_.data)
    np.testing.assert_array_equal(marked.valid, ok)
    assert open_.valid.all()
    ok[:, 4:] = False  # one row of the grid is left; with this sigma, only touching electrodes count
    few = Run(Interpolate("gaussian", sigma=0.005, least=2), PLANE).push(Block(x, 0, ok))
    np.testing.assert_array_equal(few.valid, np.tile(np.arange(16) < 8, (400, 1)))
    assert not few.data[:, 8:].any()


def test_all_lost_and_back_is_right_after_two_fades():
    x, _ = lost()
    ok = np.ones(x.shape, bool)
    ok[100:250] = False
    ok[250:, :8] = True
    stage = LocalReference(outer=0.0105, neighbours=3)
    info = stage.describe(PLANE)
    assert (info.settle, info.support) == (100, 101)
    out = Run(stage, PLANE).push(Block(x, 0, ok))
    assert out.valid[350:].all()
    np.testing.assert_allclose(out.data[350:], x[350:] - x[350:] @ local(ok[0]).T, rtol=0, atol=1e-9)
    assert not out.valid[100:250].any()


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 129])
def test_blocks_of_any_length_and_single_precision_give_the_same(n):
    x, ok = lost()
    info = PLANE.but(dtype=np.dtype("f4"))
    whole = Run(LocalReference(outer=0.0105), info).push(Block(x.astype("f4"), 0, ok))
    run = Run(LocalReference(outer=0.0105), info)
    parts = [run.push(Block(x.astype("f4"), 0, ok).cut(a, a + n)) for a in range(0, 400, n)]
    assert np.concatenate([p.data for p in parts]).tobytes() == whole.data.tobytes()


LINE = StreamInfo.signal(RATE, Channels.of(6, positions=[(0.01 * i, 0.0, 0.0) for i in range(6)]))


@pytest.mark.parametrize(
    ("stage", "info", "words"),
    [
        (LocalReference(), StreamInfo.signal(RATE, 4), "needs the positions"),
        (LocalReference(inner=0.03, outer=0.02), LINE, "inner <= outer"),
        (LocalReference(neighbours=0), LINE, "neighbours >= 1"),
        (LocalReference(outer=0.011, neighbours=1), LINE, "least=2 and 1 around ch000"),
        (LocalReference(fade=11.0), LINE, "got 11.0 s"),
        (LocalReference(), StreamInfo.signal(RATE, Channels.of(3, "trigger")), "needs electrodes"),
        (Laplacian(neighbours=6), LINE, "neighbours <= 5"),
        (Laplacian(weights="best"), LINE, "'best'"),
        (Laplacian(weights="distance"), PLANE.but(channels=Channels.of(16, positions=[(0, 0, 0)] * 16)), "at one"),
        (RobustReference(), LINE, "a sphere"),
        (RobustReference("best"), LINE, "'best'"),
        (RobustReference("none", least=7), LINE, "got 6"),
        (Interpolate(), LINE, "gaussian"),
        (Interpolate("best"), LINE, "'best'"),
        (Interpolate("gaussian", least=6), LINE, "more than 6"),
        (Interpolate("gaussian", sigma=-1.0), LINE, "sigma > 0"),
        (RobustReference("none"), LINE.but(channels=LINE.channels.with_units(["uV"] * 5 + ["mV"])), "one unit"),
    ],
)
def test_what_cannot_be_is_refused(stage, info, words):
    with pytest.raises(ContractError) as e:
        stage.describe(info)
    assert words in str(e.value)
