"""Protocol files: the shipped ones load and name no path; wrong ones say which key."""

import copy
import re
import tomllib
from pathlib import Path

import pytest

from ranvier.errors import ConfigError
from ranvier.evaluate import load_protocol, protocol_from_table

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "protocols"
SHIPPED = sorted(FOLDER.glob("*.toml"))

GOOD = tomllib.loads("""
schema = 1
name = "p"
metric = "accuracy"

[use]
run = ["1"]

[trials]
tmin = 0.0
tmax = 2.0

[trials.labels]
left = "left"
right = "right"

[split]
kind = "kfold"
k = 3

[leak]
memory = "settle"

[[pipeline]]
name = "a"

[[pipeline.stage]]
use = "features.Epoch"
tmin = 0.0
tmax = 2.0

[[pipeline.stage]]
use = "features.LogVariance"

[[pipeline.stage]]
use = "decode.LDA"

[[peer]]
name = "b"
use = "BinnedLDA"
against = ["a"]
bins = 2
""")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_protocols_load_and_name_no_path(path):
    protocol = load_protocol(path)
    assert protocol.asked
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
    assert not re.search(r'"[^"]*(/|\\|\.(fif|edf|dat|npz))[^"]*"', text)
    assert load_protocol(path).id == protocol.id


def test_there_is_one_for_each_recording_that_the_readme_names():
    wanted = (
        "kalunga_within kalunga_fbcca eegmmidb_fists_feet eegmmidb_left_right bci2000_motor bci2000_speller bci2_iv"
    )
    assert {*wanted.split(), "bci2_iv", "flint"} <= {p.stem for p in SHIPPED}


def changed(path, value):
    table = copy.deepcopy(GOOD)
    *parents, last = path
    at = table
    for key in parents:
        at = at[key]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return table


BAD = [
    (("schema",), 2, "schema"),
    (("schema",), None, "schema"),
    (("schema",), True, "schema"),
    (("nmae",), "x", "nmae"),
    (("name",), None, "name"),
    (("name",), "", "name"),
    (("name",), 3, "name"),
    (("metric",), "auc", "metric"),
    (("metric",), "r2", "metric"),
    (("seed",), "0", "seed"),
    (("seed",), 0.5, "seed"),
    (("pause",), "long", "pause"),
    (("cuts",), [0], "cuts"),
    (("cuts",), 7, "cuts"),
    (("use",), "R01", "use"),
    (("use", "run"), "R01", "use.run"),
    (("use", "rnu"), ["R01"], "use.rnu"),
    (("open",), 3, "open"),
    (("part",), {"run": "a"}, "part"),
    (("part",), [{"path": "a"}], "part[0].path"),
    (("trials", "tmin"), "0", "trials.tmin"),
    (("trials", "tmin"), None, "trials.tmin"),
    (("trials", "tmax"), -1.0, "trials.tmin"),
    (("trials", "labels"), None, "trials.labels"),
    (("trials", "labels"), {"T1": 1}, "trials.labels"),
    (("trials", "tmaks"), 1.0, "trials.tmaks"),
    (("trials", "block"), 1, "trials.block"),
    (("targets",), {"channels": ["x"]}, "either trials or targets"),
    (("targets",), {"chanels": ["x"]}, "targets.chanels"),
    (("split",), None, "split.kind"),
    (("split", "kind"), "loo", "split.kind"),
    (("split", "k"), "5", "split.k"),
    (("split", "within"), "day", "split.within"),
    (("split", "by"), "run", "split.by"),
    (("split",), {"kind": "fixed", "train": {}}, "split.test"),
    (("split",), {"kind": "fixed", "train": {"runs": ["1"]}, "test": {}}, "split.train.runs"),
    (("split",), {"kind": "fixed", "train": {}, "test": {}, "within": "day"}, "split.within"),
    (("split",), {"kind": "streamed", "warmup": 1}, "warmup"),
    (("leak", "memory"), "none", "leak.memory"),
    (("leak", "purge"), 1, "leak.purge"),
    (("speller",), {"target": "t"}, "speller.groups"),
    (("pipeline",), [], "pipeline"),
    (("pipeline",), [{"stage": []}], "pipeline[0].name"),
    (("pipeline", 0, "stage"), None, "pipeline[0]"),
    (("pipeline", 0, "file"), "x.toml", "pipeline[0]"),
    (("pipeline", 0, "tmin"), "0", "pipeline[0].tmin"),
    (("pipeline", 0, "stage", 0, "use"), "os.system", "stage[0].use"),
    (("pipeline", 0, "stage", 0, "tmni"), 0.0, "stage[0].tmni"),
    (("peer", 0, "use"), "MOABB", "peer[0].use"),
    (("peer", 0, "bins"), "two", "peer[0].bins"),
    (("peer", 0, "against"), ["c"], "peer.against"),
    (("peer", 0, "against"), "a", "peer[0].against"),
    (("peer", 0, "name"), "a", "pipeline.name"),
]


@pytest.mark.parametrize(("path", "value", "key"), BAD, ids=lambda v: str(v)[:40])
def test_a_wrong_key_is_named(path, value, key):
    with pytest.raises(ConfigError, match=re.escape(key)):
        protocol_from_table(changed(path, value))


def test_a_file_that_is_not_toml_is_named(tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text("schema = \n")
    with pytest.raises(ConfigError, match=r"bad\.toml needs to be valid TOML"):
        load_protocol(bad)
    bad.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"bad\.toml needs to be a readable"):
        load_protocol(bad)
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        load_protocol(tmp_path / "absent.toml")


def test_a_pipeline_may_stand_in_a_file_beside_it(tmp_path):
    from ranvier.decode import LDA
    from ranvier.features import Epoch, LogVariance
    from ranvier.stage import dump_pipeline

    (tmp_path / "a.toml").write_text(dump_pipeline(Epoch(tmin=0.0, tmax=2.0) | LogVariance() | LDA()))
    table = changed(("pipeline", 0, "stage"), None)
    table["pipeline"][0]["file"] = "a.toml"
    there, here = protocol_from_table(table, tmp_path), protocol_from_table(GOOD)
    assert there.pipelines[0].id == here.pipelines[0].id
    table["pipeline"][0]["file"] = str(tmp_path / "a.toml")
    with pytest.raises(ConfigError, match=r"pipeline\[0\]\.file needs a name relative"):
        protocol_from_table(table, tmp_path)


def test_the_id_says_what_is_asked_and_not_of_whom():
    base = protocol_from_table(GOOD)
    assert protocol_from_table(changed(("pipeline", 0, "name"), "c") | {"peer": []}).id == base.id
    assert protocol_from_table(changed(("trials", "tmax"), 1.0)).id != base.id
    assert protocol_from_table(changed(("split", "seed"), 1)).id != base.id
    other = protocol_from_table(changed(("pipeline", 0, "stage", 0, "tmin"), 0.5))
    assert other.pipelines[0].id != base.pipelines[0].id
