"""What a replay says of decisions whose samples are gone: a killed recorder may have written more of them."""

from types import SimpleNamespace

import numpy as np
import pytest

from ranvier.channels import Scale
from ranvier.session._inputs import LAST
from ranvier.session._replay import Replayed, Verdict, _compare
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


def test_masks_are_compared_as_numbers_are():
    masked = np.ones((100, 2), bool)
    masked[40, 1] = False
    there, again = [Block(DATA[:100], 0, masked)], [block(0, 100)]
    verdict = judged(there, again, [(0, 100)], [])
    assert (verdict.identical, verdict.decisions) == (False, 100)
    assert [d["sample"] for d in verdict.differences] == [40]


def test_a_single_bit_is_a_difference():
    other = DATA[:100].copy()
    other.view(np.uint32)[7, 0] ^= 1
    verdict = judged([Block(other, 0)], [block(0, 100)], [(0, 100)], [])
    assert (verdict.identical, [d["sample"] for d in verdict.differences]) == (False, [7])


@pytest.mark.parametrize(
    ("said", "good"),
    [
        ({"largest": 1e-4}, True),
        ({"largest": 1e-2}, False),
        ({"largest": 1e-4, "missing": 1}, False),
        ({"largest": 1e-4, "more": 1}, False),
        ({"largest": 1e-4, "same_environment": True}, False),
        ({"largest": 1e-4, "exactness": "portable"}, False),
    ],
)
def test_a_bound_holds_elsewhere_and_for_numbers_alone(said, good):
    usual = {"identical": False, "same_environment": False, "exactness": "bounded", "bound": 1e-3}
    assert Verdict(**{**usual, **said}).good is good


@pytest.mark.parametrize(("wrong", "identical"), [(0.0, True), (1e-7, False)])
def test_commands_are_compared_with_what_was_wanted(wrong, identical):
    rows = DATA[:5].astype(float)
    notes = [SimpleNamespace(sample=k, payload={"wanted": (rows[k] + wrong * (k == 3)).tolist()}) for k in range(5)]
    replayed = SimpleNamespace(recording=SimpleNamespace(log=lambda kind: iter(notes)), graph=Scale(1.0))
    verdict = Verdict()
    Replayed._commands(replayed, INFO.but(dtype=np.dtype("f8")), [Block(rows, 0)], verdict)
    assert (verdict.identical, verdict.commands) == (identical, 5)
    assert [(d["what"], d["sample"]) for d in verdict.differences] == [("command", 3)] * (not identical)
