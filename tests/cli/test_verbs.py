"""Every verb on small files: what it says in JSON is what the library says, and its files can be read."""

import itertools

import numpy as np
import pytest

from ranvier import record
from ranvier.stage import dump_pipeline, load_model, load_pipeline, model_provenance, through

TRIALS = ("--trials", "cue/left=left", "--trials", "cue/right=right", "--tmin", "0", "--tmax", "2")


@pytest.fixture(scope="module")
def model(files):
    from ranvier.cli import main

    out = files / "model.rvm"
    assert main(["fit", str(files / "recipe.toml"), str(files / "s01.npy"), *TRIALS, "--out", str(out), "--json"]) == 0
    return out


def test_inspect_a_recording(cli, files):
    found = cli("inspect", files / "s01.npy", "--json").json
    assert (found["schema"], found["verb"], found["kind"]) == (1, "inspect", "recording")
    assert (found["rate"], found["n_channels"], found["duration"]) == (200.0, 6, 60.0)
    assert {e["label"]: e["n"] for e in found["events"]} == {"cue/left": 9, "cue/right": 10}
    assert found["channels"] == [{"kind": "eeg", "unit": "uV", "n": 6, "names": ["C3", "Cz", "C4", "O1", "Oz", "O2"]}]
    assert found["entities"]["subject"] == "s01"
    assert found["faults"] == []
    assert "no obvious fault" in cli("inspect", files / "s01.npy").out


def test_inspect_names_faults(cli, tmp_path):
    from tests.cli.conftest import write_recording

    path = write_recording(tmp_path / "bad.npy", seconds=20)
    x = np.load(path)
    x[400:1200, 3] = 5.0
    x[17, 1] = np.nan
    np.save(path, x)
    found = {(f["channel"], f["kind"]) for f in cli("inspect", path, "--json").json["faults"]}
    assert {("O1", "flat"), ("Cz", "missing")} <= found
    assert "O1 does not change for 4 s" in cli("inspect", path).out


def test_inspect_a_pipeline_a_model_and_a_protocol(cli, files, model):
    found = cli("inspect", files / "recipe.toml", "--json").json
    assert (found["kind"], found["fitted"], found["id"]) == ("pipeline", False, None)
    assert [s["use"] for s in found["table"]["stage"]][:2] == ["channels.Pick", "denoise.Bandpass"]
    found = cli("inspect", model, "--json").json
    assert (found["kind"], found["fitted"], found["id"]) == ("model", True, load_model(model).id)
    assert found["contract"]["channels"] == ["C3", "Cz", "C4"]
    assert "decode.Linear" in cli("inspect", model).out
    found = cli("inspect", files / "protocol.toml", "--json").json
    assert (found["kind"], found["trials"]["tmax"]) == ("protocol", 2.0)
    assert "left or right" in cli("inspect", files / "protocol.toml").out


def test_run_writes_what_the_library_gives_for_any_block(cli, files, tmp_path):
    rec = record.open(files / "s01.npy")
    expected = np.concatenate([b.data for b in through(load_pipeline(files / "front.toml"), rec)])
    for block in (None, 1, 37):
        out = tmp_path / f"o{block}.npz"
        how = () if block is None else ("--block", block)
        found = cli("run", files / "front.toml", files / "s01.npy", "--out", out, *how, "--json").json
        with np.load(out, allow_pickle=False) as made:
            assert made["data"].tobytes() == expected.tobytes()
            assert made["channels"].tolist() == ["C3", "Cz", "C4"]
            assert made["index"].tolist() == list(range(rec.n_samples))
            assert set(made.files) == {"data", "valid", "index", "newest", "time", "channels", "units", "rate"}
        assert found["outputs"][0]["n"] == rec.n_samples
        assert found["sha256"] == rec.digest()


def test_run_a_stretch(cli, files, tmp_path):
    found = cli("run", files / "front.toml", files / "s01.npy", "--start", 2, "--stop", 5.5, "--json").json
    assert (found["start"], found["stop"], found["outputs"][0]["n"]) == (400, 1100, 700)
    assert "start" in cli("run", files / "front.toml", files / "s01.npy", "--start", 99).message


def test_run_writes_parquet(cli, files, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "o.parquet"
    assert cli("run", files / "front.toml", files / "s01.npy", "--out", out).code == 0
    table = parquet.read_table(out)
    assert table.column_names[:5] == ["index", "newest", "time", "C3", "C3.valid"]
    cli("run", files / "front.toml", files / "s01.npy", "--out", tmp_path / "o.npz")
    with np.load(tmp_path / "o.npz") as made:
        assert np.array_equal(table["C4"].to_numpy(), made["data"][:, 2])


def test_run_writes_events(cli, files, tmp_path):
    (tmp_path / "spikes.toml").write_text(
        'schema = 1\n[[stage]]\nuse = "features.Spikes"\nthreshold = 3.0\nrefractory = 0.01\n'
    )
    out = tmp_path / "o.npz"
    found = cli("run", tmp_path / "spikes.toml", files / "s01.npy", "--out", out, "--json").json
    with np.load(out, allow_pickle=False) as made:
        assert len(made["data"]) == found["outputs"][0]["n"] > 0
        assert made["labels"].tolist() == ["spike", "lost", "back"]
    assert "parquet" in cli("run", tmp_path / "spikes.toml", files / "s01.npy", "--out", tmp_path / "o.parquet").message


def test_fit_says_where_a_model_comes_from_and_gives_the_same_model_again(cli, files, model, tmp_path):
    said = model_provenance(model)
    assert said["recordings"][0]["sha256"] == record.open(files / "s01.npy").digest()
    assert (said["recordings"][0]["n_trials"], said["tmin"], said["tmax"]) == (19, 0.0, 2.0)
    assert said["recipe_toml"] == dump_pipeline(load_pipeline(files / "recipe.toml"))
    again = tmp_path / "again.rvm"
    found = cli("fit", files / "recipe.toml", files / "s01.npy", *TRIALS, "--out", again, "--json").json
    assert load_model(again) == load_model(model)
    assert model_provenance(again) == said
    assert (found["id"], found["classes"]) == (load_model(model).id, {"left": 9, "right": 10})


def test_fit_by_a_protocol_equals_fit_by_options(cli, files, model, tmp_path):
    out = tmp_path / "by_protocol.rvm"
    said = cli("fit", files / "recipe.toml", files / "s01.npy", "--protocol", files / "protocol.toml", "--out", out)
    assert said.code == 0
    assert load_model(out).id == load_model(model).id


def test_run_a_model_lists_decisions(cli, files, model):
    found = cli("run", model, files / "s02.npy", "--json").json
    held = found["decisions"]
    assert {d["decision"] for d in held} == {"left", "right"}
    assert sum(d["n"] for d in held) <= found["outputs"][0]["n"]
    assert all(a["to"] < b["from"] for a, b in itertools.pairwise(held))
    assert "decision" in cli("run", model, files / "s02.npy").out


def test_evaluate_gives_the_rows_of_the_library_and_goes_on_where_it_stopped(cli, files, tmp_path):
    from ranvier import evaluate

    out = tmp_path / "results"
    paths = (files / "s01.npy", files / "s02.npy")
    found = cli("evaluate", files / "protocol.toml", *paths, "--out", out, "--json").json
    direct = evaluate.run(evaluate.load_protocol(files / "protocol.toml"), paths)
    for mine, theirs in zip(found["rows"], direct.rows, strict=True):
        assert (mine["subject"], mine["score"], mine["n"]) == (theirs["subject"], theirs["score"], theirs["n"])
    assert all(r["streamed_equals_offline"] for r in found["rows"])
    before = (out / "results.jsonl").read_bytes()
    again = cli("evaluate", files / "protocol.toml", *paths, "--out", out, "--json").json
    assert again["rows"] == found["rows"]
    assert (out / "results.jsonl").read_bytes() == before
    assert "= offline" in cli("evaluate", files / "protocol.toml", *paths, "--out", out).out


def test_stages_lists_all_with_units_and_figures(cli):
    from ranvier.stage import builtin

    found = {s["name"]: s for s in cli("stages", "--json").json["stages"]}
    assert found.keys() == builtin().keys()
    band = found["denoise.Bandpass"]
    assert [(p["name"], p["unit"], p["required"]) for p in band["parameters"]] == [
        ("low", "Hz", True), ("high", "Hz", True), ("order", "", False),
    ]  # fmt: skip
    assert band["example"]["exactness"] == "portable"
    assert 0 < band["example"]["delay"] < 0.2
    assert all(s["summary"] for s in found.values())
    assert all(p["text"] for s in found.values() for p in s["parameters"]), (
        "a parameter without a word in its docstring"
    )


def test_stages_shows_one(cli):
    said = cli("stages", "features.Covariance")
    assert said.code == 0
    assert "hop" in said.out
    assert "Example" in said.out


def test_bench_lists(cli):
    names = [b["name"] for b in cli("bench", "--json").json["benches"]]
    assert {"start", "blocks", "implant", "eeg"} <= set(names)


def test_bench_runs(cli):
    found = cli("bench", "blocks", "--seconds", 1, "--json").json
    assert {r["pipeline"] for r in found["rows"]} == {"ssvep", "mi"}
    assert all(r["real-time factor"] > 1 for r in found["rows"])
