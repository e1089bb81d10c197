"""200 pipeline files, each made wrong in one place by chance: each is refused in a message that names the key."""

import json
import random

import pytest
import tomli_w

SEED = 4711
N = 200

BAND = {"use": "denoise.Bandpass", "low": 8.0, "high": 30.0, "order": 4}
NOTCH = {"use": "denoise.Notch", "frequency": 50.0, "quality": 30.0, "harmonics": 1}
PICK = {"use": "channels.Pick", "what": ["C*"]}
COMMON = {"use": "channels.CommonReference", "method": "mean"}
COV = {"use": "features.Covariance", "length": 1.0, "hop": 0.2, "estimator": "oas"}
WINDOW = {"use": "features.Window", "length": 1.0, "hop": 0.2}
POWER = {"use": "features.BandPower", "low": 8.0, "high": 12.0, "length": 1.0, "hop": 0.2, "log": True}
SPIKES = {"use": "features.Spikes", "threshold": 3.0, "refractory": 0.01}
RESAMPLE = {"use": "denoise.Resample", "rate": 150.0}
INTEGRITY = {"use": "denoise.Integrity", "gap": 1.0}
FBCCA = {"use": "decode.FBCCA", "frequencies": [13.0, 17.0], "n_bands": 1}
PARALLEL = {"use": "Parallel", "branch": [{"stage": [BAND]}, {"stage": [NOTCH, {**BAND, "low": 12.0}]}]}
VALID = [
    [PICK, BAND, COV],
    [INTEGRITY, NOTCH, COMMON, POWER],
    [RESAMPLE, PARALLEL, COV],
    [{"use": "Parallel", "branch": [{"stage": [PARALLEL]}, {"stage": [BAND]}]}, WINDOW],
    [PICK, WINDOW, FBCCA],
    [BAND, SPIKES, {"use": "features.BinnedCounts", "length": 0.05}],
    [PICK, COV, {"use": "decode.TangentSpace", "metric": "euclid"}, {"use": "decode.LDA", "shrinkage": "auto"}],
]
RANGES = {
    "low": [0.0, -1.0, 50.0, 1e9], "high": [300.0, 100.0, 0.0, -3.0], "order": [0, -2, 99], "frequency": [0.0, 150.0],
    "quality": [0.0, -1.0], "harmonics": [0, -1], "length": [0.0, -1.0, 1e-9], "hop": [0.0, -0.5], "gap": [-1.0],
    "threshold": [0.0, -1.0], "refractory": [0.0, -0.1], "rate": [0.0, -5.0], "n_bands": [0, -1],
    "frequencies": [[], [0.0], [500.0]], "method": ["mode"], "estimator": ["best"], "metric": ["far"],
    "what": [["T9"], ["X?"]],
}  # fmt: skip
HOSTILE = (
    "os.system",
    "../x",
    "ranvier.denoise:Bandpass",
    "__import__",
    "denoise.Bandpas",
    "denoise",
    7,
    ["denoise.FIR"],
)


def steps_of(table):
    """Every stage table, with the path that a message names it by."""

    def walk(steps, where):
        for i, s in enumerate(steps):
            yield s, f"{where}[{i}]"
            for j, b in enumerate(s.get("branch", ())):
                yield from walk(b["stage"], f"{where}[{i}].branch[{j}].stage")

    return list(walk(table["stage"], "stage"))


def steps_of_any(table):
    try:
        return steps_of(table)
    except (TypeError, KeyError, AttributeError):
        return []


def wrong_type(chance, value):
    if isinstance(value, str):
        return chance.choice([[1], True, {"a": 1}])
    if isinstance(value, bool):
        return chance.choice(["yes", 1.5, [True]])
    if isinstance(value, list):
        return chance.choice([True, {"a": 1}, [[1]]])
    return chance.choice(["much", [1.0], {"a": 1}, True])


def spoil(chance):
    """Return a pipeline's table that is wrong in one place, and the words of which a message must have one."""
    table = {"schema": 1, "stage": json.loads(json.dumps(chance.choice(VALID)))}
    step, where = chance.choice(steps_of(table))
    keys = [k for k in step if k not in ("use", "branch")]
    how = chance.choice(["type", "type", "type", "missing", "unknown", "unknown", "range", "range", "range", "range",
                         "use", "schema", "top", "branch", "sequence"])  # fmt: skip
    if how == "type" and keys:
        key = chance.choice(keys)
        step[key] = wrong_type(chance, step[key])
        return table, f"{where}.{key}"
    if how == "missing":
        step.pop("use")
        return table, f"{where}.use"
    if how == "unknown":
        key = chance.choice(["lo", "hihg", "Low", "use_", "window", "stage", "__class__", "0"])
        step[key] = chance.choice([1, "x", [1], {}])
        return table, f"{where}.{key}"
    if how == "range" and any(k in RANGES for k in keys):
        key = chance.choice([k for k in keys if k in RANGES])
        step[key] = chance.choice(RANGES[key])
        return table, step[key][0] if key == "what" else key  # of channels that are not there, the name
    if how == "use":
        step["use"] = chance.choice(HOSTILE)
        return table, f"{where}.use"
    if how == "schema":
        table["schema"] = chance.choice([0, 2, "1", True, 1.5, [1]])
        return table, "schema"
    if how == "top":
        key = chance.choice(["stages", "name", "Stage", "pipeline", "node_"])
        table[key] = chance.choice([1, "x", []])
        return table, key
    if how == "branch" and "branch" in step:
        step["branch"] = chance.choice([[], "both", [{"stages": []}], [{"stage": []}], [3], {"stage": [BAND]}])
        return table, f"{where}.branch"
    table["stage"] = chance.choice([[], {}, "denoise.Bandpass", 3, [3], ["denoise.Bandpass"], [[BAND]]])
    return table, "stage"


CASES = [spoil(random.Random(SEED + i)) for i in range(N)]


def test_there_are_so_many_and_they_differ():
    texts = {tomli_w.dumps(table) for table, _ in CASES}
    assert len(CASES) == N
    assert len(texts) > 0.7 * N


@pytest.mark.parametrize("steps", VALID, ids=lambda s: s[-1]["use"])
def test_what_they_are_made_from_is_valid(cli, files, tmp_path, steps):
    path = tmp_path / "good.toml"
    path.write_text(tomli_w.dumps({"schema": 1, "stage": steps}))
    assert cli("inspect", path).code == 0
    if not steps[-1]["use"].startswith("decode.L"):
        assert cli("run", path, files / "s01.npy", "--stop", 5).code == 0


def test_each_is_refused_by_a_message_that_names_the_key(cli, files, tmp_path):
    path, mute = tmp_path / "bad.toml", []
    for i, (table, key) in enumerate(CASES):
        path.write_text(tomli_w.dumps(table))
        if any(str(s.get("use")).startswith(("decode.T", "decode.L")) for s, _ in steps_of_any(table)):
            how = ("fit", path, files / "s01.npy", "--trials", "cue/*", "--tmax", 2, "--out", tmp_path / "m.rvm")
        else:
            how = ("run", path, files / "s01.npy", "--stop", 5)
        message = cli(*how).message
        if key not in message:
            mute.append(f"{i}: {key!r} is not in {message!r}")
    assert not mute, "\n" + "\n".join(mute)
