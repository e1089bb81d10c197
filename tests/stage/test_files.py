"""Pipelines as TOML and models as files: round trips, errors that name the key, hostile names."""

import json
import os
import struct

import numpy as np
import pytest

from ranvier.denoise import Bandpass, Lowpass, Notch
from ranvier.errors import ConfigError, ContractError, ModelError
from ranvier.stage import (
    Graph,
    Node,
    Port,
    dump_pipeline,
    load_model,
    load_pipeline,
    model_provenance,
    parse_pipeline,
    resolve,
    save_model,
)  # fmt: skip

PIPE = Notch(50) | (Bandpass(8, 12) & Bandpass(20, 30, order=2)) | Lowpass(40)
GRAPH = Graph((Port("x", "signal"),), (Node("a", PIPE, ("x",)), Node("b", Notch(50), ("a",))), ("b", "a"))


@pytest.mark.parametrize("stage", [Notch(50), PIPE, GRAPH], ids=["stage", "chain", "graph"])
def test_pipeline_round_trip(stage):
    again = parse_pipeline(dump_pipeline(stage))
    assert again == stage
    assert again.id == stage.id


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "schema"),
        ("schema = 2", "schema"),
        ("schema = true", "schema"),
        ("schema = 1", "stage"),
        ("schema = 1\nstage = 3", "stage"),
        ("schema = 1\nextra = 1\n[[stage]]\nuse='denoise.Notch'", "extra"),
        ("schema = 1\n[[stage]]\nlow = 1", r"stage\[0\].use"),
        ("schema = 1\n[[stage]]\nuse = 'denoise.Nothing'", r"stage\[0\].use"),
        ("schema = 1\n[[stage]]\nuse = 'denoise.Notch'", r"stage\[0\].frequency is missing"),
        ("schema = 1\n[[stage]]\nuse = 'denoise.Notch'\nfrequency = '50'", r"stage\[0\].frequency"),
        ("schema = 1\n[[stage]]\nuse = 'denoise.Notch'\nfrequency = true", r"stage\[0\].frequency"),
        ("schema = 1\n[[stage]]\nuse = 'denoise.Notch'\nfrequency = 50\nqualiti = 3", r"stage\[0\].qualiti"),
        ("schema = 1\n[[stage]]\nuse = 'Parallel'", r"stage\[0\].branch"),
        ("schema = 1\n[[node]]\nname='a'", "ports"),
        ("schema = 1\n[ports]\nx='signal'\n[[node]]\nname='a'\ninputs=['x']", r"node\[0\].stage"),
        ("schema = [", "valid TOML"),
    ],
)
def test_wrong_toml_names_the_key(text, key):
    with pytest.raises(ConfigError, match=key):
        parse_pipeline(text)


@pytest.mark.parametrize(
    "use",
    ["os.system", "ranvier.denoise.Notch", "denoise:Notch", "denoise._iir.Notch", "../denoise.Notch", "__import__",
     "denoise.__class__", "denoise.biquad", "decode.os", "", 3, ["denoise.Notch"], "stage.Run", "builtins.eval"],
)  # fmt: skip
def test_hostile_names_load_nothing(use, monkeypatch):
    import importlib

    seen = []
    real = importlib.import_module
    monkeypatch.setattr("ranvier.stage._registry.import_module", lambda n: seen.append(n) or real(n))
    with pytest.raises(ConfigError, match="use needs"):
        resolve(use)
    assert all(n in ("ranvier.denoise", "ranvier.decode") for n in seen)


def test_model_file_round_trip_with_provenance(tmp_path):
    path = tmp_path / "m.rvm"
    save_model(PIPE, path, {"recordings": ["abc"], "score": 0.9})
    assert load_model(path) == PIPE
    assert load_pipeline(path) == PIPE
    assert model_provenance(path) == {"recordings": ["abc"], "score": 0.9}


def test_damaged_model_is_refused(tmp_path):
    path = tmp_path / "m.rvm"
    save_model(PIPE, path)
    whole = path.read_bytes()
    rng = np.random.default_rng(8)
    for _ in range(150):
        broken = bytearray(whole)
        at = int(rng.integers(len(broken)))
        broken[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(broken))
        try:
            assert load_model(path) == PIPE, f"byte {at} changed the model silently"
        except (ModelError, ContractError):
            continue
    for n in range(0, len(whole), 37):
        path.write_bytes(whole[:n])
        with pytest.raises(ModelError):
            load_model(path)


def test_model_of_another_program_is_refused(tmp_path):
    path = tmp_path / "m.rvm"
    header = json.dumps({"__metadata__": {"format": "pt"}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ModelError, match="Ranvier model"):
        load_model(path)
    with pytest.raises(ModelError):
        load_model(tmp_path / "absent.rvm")
    with pytest.raises(ConfigError, match="readable"):
        load_pipeline(tmp_path / "absent.toml")


def test_provenance_that_is_no_json_is_a_model_error(tmp_path):
    from safetensors.numpy import save_file

    stage = Bandpass(8, 30)
    header = {"ranvier": dump_pipeline(stage), "id": stage.id, "provenance": "{"}
    save_file({"x": np.zeros(1)}, str(tmp_path / "m.rvm"), metadata=header)
    with pytest.raises(ModelError, match="provenance"):
        model_provenance(tmp_path / "m.rvm")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX")
@pytest.mark.parametrize(("name", "error"), [("a.rvm", ModelError), ("a.toml", ConfigError)])
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path, name, error):
    os.mkfifo(tmp_path / name)
    with pytest.raises(error, match="it is no file"):
        load_pipeline(tmp_path / name)
