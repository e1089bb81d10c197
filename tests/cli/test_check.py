"""The check verb: every public stage has an example, ours pass, broken ones of others are caught."""

import pytest

from ranvier.cli._check import report
from ranvier.cli._files import shipped
from ranvier.cli._paradigms import PARADIGMS
from ranvier.stage import Stage, builtin
from ranvier.testing._examples import EXAMPLES, examples, missing

THEIRS = """
from dataclasses import dataclass
from typing import final
import numpy as np
from ranvier.stage import BlockStage, State, Tags, need_signal
from ranvier.stream import Block

@final
@dataclass(frozen=True, eq=False)
class {name}(BlockStage):
    gain: float{default}

    def describe(self, info):
        need_signal(self, info)
        return info.but(dtype=np.dtype(np.float32))

    def prepare(self, info):
        return State()

    def step(self, state, block):
        return Block({formula}, block.start, block.valid)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module of somebody else's into the folder that we are in."""
    import sys

    monkeypatch.chdir(tmp_path)

    def write(name, formula, default=" = 2.0", more=""):
        stem = f"theirs_{name.lower()}"
        (tmp_path / f"{stem}.py").write_text(THEIRS.format(name=name, formula=formula, default=default) + more)
        monkeypatch.delitem(sys.modules, stem, raising=False)
        return f"{stem}:{name}"

    return write


GOOD = "np.where(block.valid, np.float32(self.gain) * block.data.astype(np.float32), 0)"


def test_every_public_stage_has_an_example_and_nothing_else_has():
    assert missing() == []
    assert EXAMPLES.keys() == builtin().keys()


def test_every_shipped_pipeline_is_of_a_paradigm():
    assert shipped().keys() == PARADIGMS.keys()


@pytest.mark.parametrize("name", ["channels.Pick", "features.Window", "decode.Ridge", "decode.TangentSpace"])
def test_examples_are_stages_with_what_flows_into_them(name):
    for stage, *infos in examples(name):
        assert isinstance(stage, Stage)
        stage.describe(*infos)


def test_the_example_of_a_trainable_is_what_it_becomes():
    ((stage, *_),) = examples("decode.CSP")
    assert type(stage).__name__ == "SpatialPower"


def test_a_stage_of_ours_passes(cli):
    said = cli("check", "denoise.Highpass", "features.Window", "--jobs", 1, "--json")
    found = said.json
    assert said.code == 0
    assert found["counts"]["failed"] == 0
    assert found["counts"]["targets"] == 2
    assert found["counts"]["passed"] + found["counts"]["exempt"] == sum(len(r["results"]) for r in found["reports"])
    assert found["failures"] == []


def test_pipeline_files_pass_recipes_fitted_on_a_simulated_person(cli, files, tmp_path):
    assert cli("check", files / "front.toml", "--json").json["counts"]["failed"] == 0
    found = cli("check", files / "front.toml", "--recording", files / "s01.npy", "--json").json
    assert found["reports"][0]["input"] == "6 float32 at 200 Hz"
    found = cli("check", files / "recipe.toml", "--json").json
    assert (found["counts"]["failed"], found["reports"][0]["stage"]) == (0, "Chain")
    assert "ranvier fit" in cli("check", files / "recipe.toml", "--recording", files / "s01.npy").message
    (tmp_path / "ridge.toml").write_text('schema = 1\n[[stage]]\nuse = "decode.Ridge"\n')
    assert "targets" in cli("check", tmp_path / "ridge.toml").message


def test_a_stage_of_somebody_else_is_caught(cli, module):
    target = module(
        "Centred",
        "(block.data - block.data.mean(axis=0)).astype(np.float32) if block.n else block.data.astype(np.float32)",
    )
    said = cli("check", target, "--json")
    found = said.json
    assert said.code == 1
    assert "block_invariance" in {f["check"] for f in found["failures"]}
    assert "fails block_invariance" in cli("check", target).out


def test_a_good_stage_of_somebody_else_passes_what_can_be_asked_of_it(module):
    (said,) = report(module("Louder", GOOD))
    # it is published nowhere, so it cannot be written to a file
    assert {r["check"] for r in said["results"] if r["status"] == "failed"} <= {"serialises"}


def test_a_class_gives_its_own_example(module):
    more = """
    @classmethod
    def example(cls):
        from ranvier.stream import StreamInfo
        return cls(gain=3.0), StreamInfo.signal(1000, 3)
"""
    (said,) = report(module("Given", GOOD, default="", more=more))
    assert said["input"] == "3 float32 at 1000 Hz"


def test_targets_that_are_none(cli, module):
    for target, words in (
        ("nowhere.at.all:Stage", "nowhere"),
        ("json:dumps", "function"),
        ("json:nothing", "nothing"),
        ("denoise.Loud", "denoise.Loud"),
        (module("Needy", GOOD, default=""), "example"),
        ("a:b:c", "a:b:c"),
    ):
        assert words in cli("check", target).message
    assert "--all" in cli("check", "--all", "denoise.Highpass").message


@pytest.mark.slow
def test_everything_passes(cli):
    said = cli("check", "--all", "--json")
    assert said.json["failures"] == []
    assert said.code == 0
