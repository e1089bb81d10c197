"""The guard against a slow one, over random streams of commands; each refusal by itself; what cannot be forged."""

import copy
import dataclasses
import json
import pickle
import timeit
from collections import Counter
from math import inf, isclose, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ranvier.act import Approved, Command, Guard, Limits, Refused, note
from ranvier.act._command import REASONS
from ranvier.errors import ConfigError, ContractError, SafetyError
from ranvier.stream import Channels

from .helpers import MS, NAMES, UNITS, S, command
from .reference import SlowGuard

# Values, rates and times are small multiples of 1/8: sums and products are exact, so that both agree to the bit.
GRID = st.integers(-40, 40).map(lambda k: k / 8)
TIMES = st.integers(0, 24).map(lambda k: k * S // 8)
VALUE = st.one_of(GRID, GRID, GRID, st.sampled_from([nan, inf, -inf, 1e308]))
LIMITS = st.lists(
    st.builds(
        lambda name, pair, rate, beyond: Limits(
            name=name, unit="cm/s", low=min(pair), high=max(pair), rate=rate, beyond=beyond
        ),
        st.sampled_from(NAMES), st.tuples(GRID, GRID), st.sampled_from([inf, 2.0, 8.0, 0.25]),
        st.sampled_from(["refuse", "clamp"]),
    ),
    max_size=2, unique_by=lambda limit: limit.name,
)  # fmt: skip
COMMAND = st.builds(
    command, st.tuples(VALUE, VALUE), sequence=st.integers(0, 30), made=TIMES, lifetime=TIMES,
    age=st.sampled_from([0.0, 0.125, 0.25, nan, -1.0, inf]), confidence=st.sampled_from([nan, 0.0, 0.5, 0.75, 1.0]),
    units=st.sampled_from([UNITS, UNITS, UNITS, ("mm/s", "cm/s")]),
)  # fmt: skip
PLAUSIBLE = st.builds(lambda values, confidence: (values, confidence), st.tuples(GRID, GRID),
                      st.sampled_from([0.5, 1.0]))  # fmt: skip
STEP = st.one_of(PLAUSIBLE, PLAUSIBLE, PLAUSIBLE, st.tuples(COMMAND, TIMES), st.sampled_from(["stop", "reset"]))


@settings(max_examples=200)
@given(LIMITS, st.sampled_from([None, 0.25, 0.5]), st.sampled_from([None, 0.75]), st.lists(STEP, max_size=40))
def test_a_guard_decides_as_the_slow_one_does(limits, max_age, min_confidence, steps):
    guard = Guard(*limits, max_age=inf if max_age is None else max_age, min_confidence=min_confidence)
    slow = SlowGuard(limits, max_age, min_confidence)
    counted, approvals, now, sequence = Counter(), 0, 0, 0
    for step in steps:
        if step in ("stop", "reset"):
            getattr(guard, step)()
            slow.stopped = step == "stop"
            if step == "reset":
                slow.reset()
            continue
        if isinstance(step[0], Command):
            wanted, at = step
        else:
            sequence, now = sequence + 1, now + S // 8
            wanted, at = command(step[0], sequence, now - S // 8, confidence=step[1]), now
        reason, values = slow.approve(wanted, at)
        result = guard.approve(wanted, at)
        if reason is None:
            assert (result.command, result.given, result.at) == (wanted, values, at)
            assert result.clamped == (values != wanted.values)
            approvals += 1
        else:
            assert isinstance(result, Refused)
            assert (result.reason, result.command, result.at) == (reason, wanted, at)
            assert REASONS[reason] in str(result)
            counted[reason] += 1
    assert guard.approved == approvals
    assert +Counter(guard.refused) == counted


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 10**10)), min_size=1, max_size=30))
def test_what_is_given_stays_in_range_and_never_moves_too_fast(steps):
    limits = Limits(name="vx", unit="cm/s", low=-3.3, high=7.7, rate=1.1, beyond="clamp")
    guard, now, last = Guard(limits), 0, None
    for i, (value, dt) in enumerate(steps):
        now += dt
        (given, other) = guard.approve(command((value, 0.0), i, now), now).given
        assert -3.3 <= given <= 7.7
        assert other == 0.0
        if last is not None:
            reach = 1.1 * dt / S
            assert abs(given - last) <= reach or isclose(abs(given - last), reach, rel_tol=1e-9, abs_tol=1e-14)
        last = given


RANGE = Limits(name="vx", unit="cm/s", low=-5, high=5, rate=10)
CASES = {
    "stopped": ({}, command(), 0),
    "shape": ({}, command((1.0,)), 0),
    "unit": ({}, command(units=("mm/s", "cm/s")), 0),
    "nan": ({}, command((nan, 0.0)), 0),
    "sequence": ({}, command(sequence=0), 0),
    "clock": ({}, command(sequence=2, made=5), 4),
    "expired": ({}, command(sequence=2, lifetime=100), 100),
    "age": ({"max_age": 0.2}, command(sequence=2, age=0.15), 51 * MS),
    "confidence": ({"min_confidence": 0.95}, command(sequence=2), 0),
    "range": ({}, command((5.5, 0.0), 2), 10**8),
    "rate": ({}, command((2.5, 0.0), 2), 10**8),
}


@pytest.mark.parametrize("reason", CASES)
def test_each_reason_alone_refuses_and_its_neighbour_passes(reason):
    options, wanted, now = CASES[reason]
    guard = Guard(RANGE, **options)
    first = guard.approve(command((1.0, 0.0), 1, confidence=1.0), 0)
    assert isinstance(first, Approved)
    if reason == "stopped":
        guard.stop()
    result = guard.approve(wanted, now)
    assert isinstance(result, Refused)
    assert result.reason == reason
    assert guard.refused[reason] == 1
    assert sum(guard.refused.values()) == 1
    guard.reset()
    cured = command((1.5, 0.0), 3, made=now, confidence=1.0)
    assert isinstance(guard.approve(cured, now), Approved)


def test_a_command_that_does_not_say_how_sure_it_is_is_not_sure_enough():
    assert Guard(min_confidence=-1.0).approve(command(confidence=nan), 0).reason == "confidence"
    assert isinstance(Guard().approve(command(confidence=nan), 0), Approved)


@pytest.mark.parametrize("values", [(), (1.0,), (1.0, 2.0, 3.0)])
def test_there_is_one_value_a_name(values):
    assert Guard().approve(command(values), 0).reason == "shape"


def test_values_of_another_order_are_not_measured_against_the_last():
    guard = Guard(RANGE)
    guard.approve(command((-5.0, 5.0), 1), 0)
    turned = command((5.0, 4.0), 2, names=("vy", "vx"))
    assert guard.approve(turned, 0).given == (5.0, 4.0)
    assert guard.approve(command((5.0, -4.0), 3, names=("vy", "vx")), 0).reason == "rate"


def test_every_reason_has_a_case():
    assert CASES.keys() == REASONS.keys()


@pytest.mark.parametrize("values", [(None, 0.0), ("1", 0.0), (10**400, 0.0), (True, 0.0), (1j, 0.0)])
def test_what_is_no_float_is_refused_not_raised(values):
    assert Guard().approve(command(values), 0).reason == "nan"


@pytest.mark.parametrize("reason", CASES)
def test_what_was_said_fits_into_a_recording(reason):
    options, wanted, now = CASES[reason]
    guard = Guard(RANGE, **options)
    first = note(guard.approve(command((1.0, 0.0), 1, confidence=1.0), 0))
    assert (first["wanted"], first["given"], first["at"]) == ([1.0, 0.0], [1.0, 0.0], 0)
    if reason == "stopped":
        guard.stop()
    said = note(guard.approve(wanted, now))
    assert said["refused"] == reason
    assert json.loads(json.dumps(said, allow_nan=False)) == said


def test_a_clamped_command_is_noted_as_wanted_and_given():
    said = note(Guard(dataclasses.replace(RANGE, beyond="clamp")).approve(command((9.0, 0.0), confidence=nan), 0))
    assert (said["wanted"], said["given"], said["confidence"]) == ([9.0, 0.0], [5.0, 0.0], None)
    assert note(Guard().approve(command((nan, None)), 0))["wanted"] == ["nan", "None"]
    asked, made = note(Guard().approve(command(), 0)), note(command())
    assert asked == made | {"given": made["wanted"]}


def test_messages_have_figures_with_units():
    guard = Guard(RANGE)
    text = str(guard.approve(command((7.5, 0.0)), 0))
    assert text == "Command 1 refused: out of range of vx; got 7.5 cm/s, limit 5 cm/s."


def test_a_reset_forgets_the_rate_but_not_the_sequence():
    guard = Guard(RANGE)
    guard.approve(command((-5.0, 0.0), 7), 0)
    guard.stop()
    assert guard.stopped
    guard.reset()
    assert guard.approve(command((5.0, 0.0), 7), 1).reason == "sequence"
    assert guard.approve(command((5.0, 0.0), 8), 1).given == (5.0, 0.0)


def test_limits_are_checked_before_anything_runs():
    guard = Guard(RANGE)
    guard.check(Channels.of(NAMES, "command", UNITS))
    with pytest.raises(ContractError, match="'vx' in 'cm/s'; got 'vx' in 'mm/s'"):
        guard.check(Channels.of(NAMES, "command", "mm/s"))
    with pytest.raises(ContractError, match="'vx' in 'cm/s'; got a, b"):
        guard.check(Channels.of(["a", "b"], "command", "cm/s"))


@pytest.mark.parametrize(("wrong", "match"), [
    (lambda: Limits(name="v", unit="1", low=2, high=1), "low <= high; got low=2, high=1"),
    (lambda: Limits(name="v", unit="1", low=nan), "low <= high"),
    (lambda: Limits(name="v", unit="1", rate=0), "rate > 0"),
    (lambda: Limits(name="v", unit="1", beyond="wrap"), "'refuse' or 'clamp'; got 'wrap'"),
    (lambda: Guard(RANGE, RANGE), "'vx' more than once"),
    (lambda: Guard(max_age=0), "max_age > 0"),
    (lambda: Guard(max_age=nan), "max_age > 0"),
    (lambda: Guard(min_confidence=nan), "finite min_confidence"),
])  # fmt: skip
def test_wrong_limits_are_refused(wrong, match):
    with pytest.raises(ConfigError, match=match):
        wrong()


def test_two_limits_join_to_the_narrower():
    mine = Limits(name="vx", unit="cm/s", low=-1, high=9, beyond="clamp")
    guard = Guard(mine, max_age=0.3).within([RANGE, Limits(name="vy", unit="cm/s", high=1)])
    assert guard.max_age == 0.3
    assert guard.limits == (
        Limits(name="vx", unit="cm/s", low=-1, high=5, rate=10, beyond="refuse"),
        Limits(name="vy", unit="cm/s", high=1),
    )
    with pytest.raises(ContractError, match="one unit; got 'cm/s' and 'm/s'"):
        Guard(mine).within([Limits(name="vx", unit="m/s")])


def test_approved_is_made_by_guards_alone():
    good = Guard().approve(command(), 0)
    attempts = [
        lambda: Approved(),
        lambda: Approved(command(), (1.0, 2.0), 0),
        lambda: copy.copy(good),
        lambda: copy.deepcopy(good),
        lambda: pickle.dumps(good),
        lambda: setattr(good, "given", (9.0, 9.0)),
        lambda: setattr(good, "more", 1),
        lambda: delattr(good, "given"),
        lambda: type("Mine", (Approved,), {}),
    ]
    for attempt in attempts:
        with pytest.raises(SafetyError):
            attempt()
    with pytest.raises(TypeError):
        dataclasses.replace(good, given=(9.0, 9.0))
    assert good.given == (1.0, 2.0)


def test_approving_costs_microseconds():
    guard = Guard(RANGE, max_age=0.2, min_confidence=0.5)
    wanted = [command((1.0, 2.0), i) for i in range(3000)]
    cost = min(
        timeit.repeat(lambda: [guard.approve(c, 0) for c in wanted] and setattr(guard, "_sequence", None), number=1,
                      repeat=5)
    )  # fmt: skip
    assert guard.approved == 15_000
    assert cost / 3000 < 100e-6  # measured 4 us; a bound that a busy machine keeps
