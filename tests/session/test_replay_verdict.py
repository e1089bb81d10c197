"""What a replay says of decisions whose samples are gone: a killed recorder may have written more of them."""

from types import SimpleNamespace

import numpy as np
import pytest

from ranvier.session._inputs import LAST
from ranvier.session._replay import Verdict, _compare
from ranvier.stream import Block, StreamInfo

INFO = StreamInfo.signal(1000, 2, name="raw")
RNG = np.random.default_rng(3)
DATA = RNG.standard_normal((300, 2)).astype("f4")


def block(start, stop):
    return Block(DATA[start:stop], start)


def judged(there, again, stretches, unwatched):
    inputs = SimpleNamespace(infos=[INFO], raw=[SimpleNamespace(stretches=stretches)], unwatched=unwatched)
    verdict = Verdict()
    _compare(INFO, there, again, verdict, inputs)
    return verdict


def test_decisions_that_outlived_their_samples_are_counted_apart():
    verdict = judged([block(0, 137)], [block(0, 100)], [(0, 100)], [LAST])
    assert (verdict.identical, verdict.decisions, verdict.missing, verdict.unproven) == (True, 100, 0, 37)


def test_also_before_a_session_that_goes_on():
    there, again = [block(0, 137), block(200, 300)], [block(0, 100), block(200, 300)]
    verdict = judged(there, again, [(0, 100), (200, 300)], [200])
    assert (verdict.identical, verdict.decisions, verdict.unproven) == (True, 200, 37)


@pytest.mark.parametrize("unwatched", [[], [200]])
def test_decisions_that_have_their_samples_and_do_not_come_out_are_missing(unwatched):
    there, again = [block(0, 100), block(200, 300)], [block(0, 100), block(200, 290)]
    verdict = judged(there, again, [(0, 100), (200, 300)], unwatched)
    assert (verdict.identical, verdict.missing, verdict.unproven) == (False, 10, 0)


def test_a_session_that_ended_as_it_should_has_no_such_excuse():
    verdict = judged([block(0, 137)], [block(0, 100)], [(0, 100)], [])
    assert (verdict.identical, verdict.missing, verdict.unproven) == (False, 37, 0)
