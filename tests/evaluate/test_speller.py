"""Spellers: letters by repetitions, worked out by hand."""

import numpy as np
import pytest

from ranvier.evaluate import Speller, Table, wolpaw
from ranvier.evaluate._scores import Outcome
from ranvier.stream import Entities, Trials

SPELLER = Speller(groups=(("r*",), ("c*",)), target="target")


def case(scores, letters=2, repetitions=2):
    """Four flashes a repetition (two rows, two columns) every 0.5 s; in each letter r0 and c1 are meant."""
    items = ["r0", "r1", "c0", "c1"] * repetitions * letters
    n = len(items)
    each = 4 * repetitions
    label = np.where(np.isin(items, ["r0", "c1"]), "target", "other")
    onset = np.arange(n) * 50 + (np.arange(n) // each) * 500
    trials = Trials(onset=onset, label=label, group=np.array([""] * n), recording=np.zeros(n, np.int64),
                    tmin=0.0, tmax=0.8, rate=100)  # fmt: skip
    block = (np.arange(n) // each).astype(str)
    table = Table.of(trials, [Entities()], block=block, item=np.array(items))
    value = np.asarray(scores, float)
    o = Outcome(names=("other", "target"), truth=(label == "target").astype(np.int64),
                scores=np.stack([-value, value], axis=1), fold=np.zeros(n, np.int64), place=np.arange(n))  # fmt: skip
    return table, o


def test_letters_are_right_when_row_and_column_are():
    first = [1, 0, 0, 1] * 2  # right at once
    second = [0, 1, 0, 1, 3, 0, 0, 1]  # the row only with the second repetition
    rows = SPELLER.letters(*case(first + second), pause=0.0)
    assert [(r["repetitions"], r["letters"], r["right"]) for r in rows] == [(1, 2, 1), (2, 2, 2)]
    assert rows[0]["seconds_per_letter"] == pytest.approx(3 * 0.5 + 0.8)
    assert rows[1]["seconds_per_letter"] == pytest.approx(7 * 0.5 + 0.8)
    assert rows[1]["itr_bits_per_min"] == pytest.approx(2 * 60 / 4.3)
    assert rows[0]["itr_bits_per_min"] == pytest.approx(wolpaw(0.5, 4) * 60 / 2.3)
    assert rows[0]["low"] < 0.5 < rows[0]["high"]


def test_a_pause_between_letters_lowers_the_rate():
    table, o = case([1, 0, 0, 1] * 4)
    rate = [SPELLER.letters(table, o, pause=p)[1]["itr_bits_per_min"] for p in (0.0, 4.3)]
    assert rate[1] == pytest.approx(rate[0] / 2)


def test_scores_without_meaning_give_chance():
    rng = np.random.default_rng(0)
    right = [SPELLER.letters(*case(rng.standard_normal(200 * 8), letters=200), pause=0.0)[1]["right"] for _ in range(2)]
    assert np.mean(right) / 200 == pytest.approx(0.25, abs=3 * np.sqrt(0.25 * 0.75 / 400))


def test_a_flash_that_could_not_be_decided_counts_for_nothing():
    table, o = case([1, 0, 0, 1] * 4)
    o.scores[4] = np.nan
    assert SPELLER.letters(table, o, pause=0.0)[1]["right"] == 2
