"""From decisions to values: tables, scales, masks, files; the conformance suite."""

import numpy as np
import pytest

from ranvier.act import Commands, Map
from ranvier.errors import ContractError
from ranvier.stage import Run, dump_pipeline, parse_pipeline
from ranvier.stream import Block, Channels, StreamInfo
from ranvier.testing import check_stage

SCORES = StreamInfo.signal(10, Channels.of(["left", "right", "rest"], "class", "1"), dtype=np.float32)
TARGETS = StreamInfo.signal(50, Channels.of(["px", "vx", "vy"], "target", ["cm", "cm/s", "cm/s"]), dtype=np.float64)
TABLE = Map(
    ("vx", "vy"), ("cm/s", "cm/s"), classes=("rest", "left", "right"), values=((0.0, 0.0), (-5.0, 0.1), (5.0, 0.1)),
    confidence="probability",
)  # fmt: skip
SCALED = Map(("a", "b"), ("V", "V"), targets=("vy", "vx"), scale=(2.0, -0.5), offset=(1.0, 0.0))


def run(stage, info, x, valid=None):
    return Run(stage, info).push(Block(np.asarray(x, info.dtype), 0, valid)).copy()


@pytest.mark.parametrize("stage", [TABLE, Map(("v",), ("1",), ("left", "right", "rest"), ((1.0,), (2.0,), (3.0,)))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
@pytest.mark.parametrize("rate", [10, 0])
def test_tables_conform(stage, dtype, rate):
    check_stage(stage, SCORES.but(dtype=np.dtype(dtype), rate=rate))


@pytest.mark.parametrize("stage", [SCALED, Map(), Map(scale=(1.0, 2.0, 3.0)), Map(targets=("vx",))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_scales_conform(stage, dtype):
    check_stage(stage, TARGETS.but(dtype=np.dtype(dtype)))


def test_the_best_class_gives_its_row_and_its_probability():
    out = TABLE.describe(SCORES)
    assert out.channels.names == ("vx", "vy", "confidence")
    assert out.channels.kinds == ("command", "command", "confidence")
    y = run(TABLE, SCORES, [[0.75, 0.25, 0], [0.25, 0.5, 0.25], [0, 0, 1], [0.5, 0.5, 0]])
    assert y.data.tolist() == [[-5, 0.1, 0.75], [5, 0.1, 0.5], [0, 0, 1], [-5, 0.1, 0.5]]
    assert y.valid.all()


def test_scores_that_are_no_probabilities_say_nothing_of_confidence():
    y = run(TABLE, SCORES, [[3, 1, -2], [0.5, 0.5, 0]])
    assert y.valid.tolist() == [[True, True, False], [True, True, True]]
    assert y.data[0].tolist() == [-5, 0.1, 0]


def test_targets_are_scaled_and_given_new_units():
    out = SCALED.describe(TARGETS)
    assert (out.channels.names, out.channels.units) == (("a", "b"), ("V", "V"))
    valid = np.array([[True, True, True], [True, True, False]])
    y = run(SCALED, TARGETS, [[9, 2, 3], [9, 2, 3]], valid)
    assert y.data.tolist() == [[7, -1], [0, -1]]
    assert y.valid.tolist() == [[True, True], [False, True]]
    assert Map().describe(TARGETS).channels.units == TARGETS.channels.units


@pytest.mark.parametrize("stage", [TABLE, SCALED, Map()])
def test_maps_are_written_to_files(stage):
    assert parse_pipeline(dump_pipeline(stage)) == stage


@pytest.mark.parametrize(("make", "match"), [
    (lambda: Map(("a",), ()), "a unit a name"),
    (lambda: Map(("a",), ("1",), ("x",), ((1.0, 2.0),)), "1 rows of"),
    (lambda: Map(("a",), ("1",), ("x", "y"), ((1.0,),)), "2 classes a row of 1"),
    (lambda: Map(("a",), ("1",), ("x", "x"), ((1.0,), (2.0,))), "each class once"),
    (lambda: Map(("a",), ("1",), ("x",), ((float("nan"),),)), "finite"),
    (lambda: Map(("a",), ("1",), ("x",), ((1.0,),), scale=(2.0,)), "got both"),
    (lambda: Map(confidence="probability"), "needs classes"),
    (lambda: Map(confidence="maybe"), "'none' or 'probability'"),
    (lambda: TABLE.describe(TARGETS), "a score for each of rest, left, right and no other; got px"),
    (lambda: Map(targets=("vz",)).describe(TARGETS), "the target 'vz'; got px, vx, vy"),
    (lambda: Map(scale=(1.0,)).describe(TARGETS), "3 scale, one a target"),
    (lambda: Map(("confidence",), ("1",), ("left", "right", "rest"), ((1.0,),) * 3, confidence="probability")
     .describe(SCORES), "another name"),
])  # fmt: skip
def test_wrong_maps_are_refused(make, match):
    with pytest.raises(ContractError, match=match):
        make()


def test_commands_are_made_of_rows():
    make = Commands(TABLE.describe(SCORES), lifetime=0.3, graph="g", model="m")
    assert make.channels.names == ("vx", "vy")
    y = run(TABLE, SCORES, [[0.75, 0.25, 0], [3, 1, 2], [0.5, 0.5, 0]], np.array([[True], [True], [False]]))
    first, second, third = (
        make.of(row, valid, sample=7, age=0.02, made=1000)
        for row, valid in zip(y.data, np.broadcast_to(y.valid, y.data.shape), strict=True)
    )
    assert (first.values, first.confidence, first.sequence) == ((-5.0, 0.1), 0.75, 1)
    assert (first.made, first.expires, first.graph, first.model) == (1000, 300_001_000, "g", "m")
    assert second.sequence == 2
    assert second.confidence != second.confidence
    assert third is None
    assert make.made == 2
    with pytest.raises(ContractError, match="lifetime > 0"):
        Commands(TABLE.describe(SCORES), lifetime=0)
