"""Every word of a body does on every lane what numpy does on one number."""

import math
from fractions import Fraction

import numpy as np
import pytest

from ranvier.errors import ContractError, SafetyError, StateError
from ranvier.kernels import KINDS, Loop, Program, Step, Store, Work, channel_state, words
from ranvier.kernels._body import BODY_OPS, body_text
from ranvier.kernels.words import (
    absv,
    add,
    both,
    div,
    either,
    fma,
    le,
    like,
    lt,
    maxv,
    minv,
    mul,
    neg,
    other,
    select,
    sqrt,
    sub,
)  # fmt: skip
from ranvier.stream import all_valid

N = 70  # channels: four whole vectors of 16 and a rest


def b_add(x, s, k):
    return add(x, k[0]), s


def b_sub(x, s, k):
    return sub(x, k[0]), s


def b_mul(x, s, k):
    return mul(x, k[0]), s


def b_div(x, s, k):
    return div(x, k[0]), s


def b_min(x, s, k):
    return minv(x, k[0]), s


def b_max(x, s, k):
    return maxv(x, k[0]), s


def b_abs(x, s, k):
    return absv(x), s


def b_neg(x, s, k):
    return neg(x), s


def b_sqrt(x, s, k):
    return sqrt(absv(x)), s


def b_like(x, s, k):
    return like(x, 0.1), s


def b_select(x, s, k):
    return select(both(lt(x, k[0]), other(le(x, like(x, -5.0)))), x, like(x, 0.0)), s


def b_either(x, s, k):
    return select(either(lt(x, like(x, -5.0)), le(k[0], x)), x, like(x, 0.0)), s


def b_fma(x, s, k):
    return fma(x, k[0], k[0]), s


CLOSED = {
    b_add: lambda x, k: x + k,
    b_sub: lambda x, k: x - k,
    b_mul: lambda x, k: x * k,
    b_div: lambda x, k: x / k,
    b_min: lambda x, k: np.where(x < k, x, k),
    b_max: lambda x, k: np.where(x > k, x, k),
    b_abs: lambda x, k: np.abs(x),
    b_neg: lambda x, k: -x,
    b_sqrt: lambda x, k: np.sqrt(np.abs(x)),
    b_like: lambda x, k: np.full_like(x, 0.1),
    b_select: lambda x, k: np.where((x < k) & ~(x <= -5), x, 0).astype(x.dtype),
    b_either: lambda x, k: np.where((x < -5) | (k <= x), x, 0).astype(x.dtype),
}


def run(step, x, width, settle=0, mask=None):
    work = Work((step,), settle)
    state = channel_state(work, x.shape[1])
    result = np.dtype(np.result_type(x.dtype, np.float32))
    program = Program([work], [(0, Store())], [0], x.shape[1], KINDS[x.dtype], KINDS[result])
    loop = Loop(program, [state], [None], [], width)
    found = loop(x, all_valid(x.shape) if mask is None else mask, 0)
    out = loop.signals[0]
    y, w = out.data[: len(x)].copy(), out.valid[: len(x)].copy()
    return y, np.ones(x.shape, bool) if found[-3] == 0 else w, state


@pytest.mark.parametrize("precision", ["f4", "f8"])
@pytest.mark.parametrize("body", CLOSED, ids=lambda b: b.__name__)
def test_word_is_numpy_on_every_width(body, precision):
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((9, N)) * 10).astype(precision)
    k = rng.uniform(0.5, 9, N).astype(precision)
    wanted = CLOSED[body](x, k)
    for width in (1, 4, 16):
        y, w, _ = run(Step(body, (k,), precision=precision), x, width)
        assert np.array_equal(y, wanted), width
        assert w.all()


def test_fma_rounds_once():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((3, N))
    k = rng.standard_normal(N)
    y, _, _ = run(Step(b_fma, (k,), precision="f8"), x, 16)
    exact = [[float(Fraction(a) * Fraction(b) + Fraction(b)) for a, b in zip(row, k, strict=True)] for row in x]
    assert np.array_equal(y, exact)
    assert not np.array_equal(y, x * k + k)


def test_integers_come_in_exactly():
    x = np.random.default_rng(3).integers(-(2**15), 2**15, (4, N)).astype(np.int16)
    y, _, _ = run(Step(b_add, (0.0,)), x, 16)
    assert y.dtype == np.float32
    assert np.array_equal(y, x)


def leaky(x, s, k):
    """One-pole smoothing."""
    y = fma(k[0], sub(x, s[0]), s[0])
    return y, (y,)


def leaky_prime(x, k):
    return (x,)


def slow(x, mask, a, settle):
    """The definition, in plain Python: hold while invalid, prime afresh, mark until settled."""
    y, w = np.zeros(x.shape), np.zeros(x.shape, bool)
    for c in range(x.shape[1]):
        s, wait = None, 0
        for t in range(len(x)):
            if not mask[t, c]:
                s = None
                continue
            wait = settle if s is None else max(wait - 1, 0)
            s = x[t, c] if s is None else s
            s = float(Fraction(a) * Fraction(x[t, c] - s) + Fraction(s))
            y[t, c], w[t, c] = (s, True) if wait == 0 else (0.0, False)
    return y, w


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("settle", [0, 5])
def test_masks_hold_prime_and_settle_as_defined(width, settle):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((60, 19))
    mask = rng.random(x.shape) > 0.1
    mask[20:30, 3] = False
    y, w, _ = run(Step(leaky, (0.25,), 1, leaky_prime, "f8"), x, width, settle, mask)
    wanted, valid = slow(x, mask, 0.25, settle)
    assert np.array_equal(w, valid)
    assert np.array_equal(y, wanted)


def test_nan_in_an_invalid_cell_goes_nowhere():
    x = np.random.default_rng(5).standard_normal((40, 20))
    mask = np.ones(x.shape, bool)
    mask[7:9, 4] = False
    clean, _, state = run(Step(leaky, (0.25,), 1, leaky_prime, "f8"), x, 8, 0, mask)
    x[7:9, 4] = np.nan
    dirty, _, other_state = run(Step(leaky, (0.25,), 1, leaky_prime, "f8"), x, 8, 0, mask)
    assert np.array_equal(clean, dirty)
    assert np.array_equal(state["f8"], other_state["f8"])


def wrong_operator(x, s, k):
    return x * k[0], s


def wrong_if(x, s, k):
    if x:
        return x, s
    return x, s


def wrong_name(x, s, k):
    return math.sin(x), s


def wrong_arity(x, s):
    return x, s


@pytest.mark.parametrize("body", [wrong_operator, wrong_if, wrong_name, wrong_arity])
def test_body_with_other_words_is_refused(body):
    with pytest.raises(ContractError, match=rf"{body.__name__}.*\n?.*(named operations|arguments)"):
        body_text(body, 3)


def test_words_are_not_called_and_complete():
    assert all(hasattr(words, name) for name in BODY_OPS)
    with pytest.raises(StateError, match="add is a word of a body"):
        add(1, 2)


def test_cache_that_others_can_write_to_is_refused(tmp_path, monkeypatch):
    from ranvier.kernels._cache import cache_folder

    monkeypatch.setenv("RANVIER_CACHE", str(tmp_path))
    folder = cache_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(SafetyError, match="chmod 700"):
        cache_folder()


def test_altered_text_in_the_cache_is_not_run(tmp_path, monkeypatch):
    import sys

    from ranvier.kernels._cache import cache_folder, load_source

    monkeypatch.setenv("RANVIER_CACHE", str(tmp_path))
    text = "value = 1\n"
    module = load_source(text)
    assert module.value == 1
    path = next(cache_folder().glob("k_*.py"))
    path.write_text("value = 2\n")
    del sys.modules[module.__name__]
    assert load_source(text).value == 1
