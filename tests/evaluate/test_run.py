"""run: files and folders, local processes, resumed work, one JSON document."""

import json

import numpy as np
import pytest

from ranvier.errors import ConfigError, ContractError, LeakError
from ranvier.evaluate import Results, protocol_from_table, run

from .helpers import RATE
from .test_protocol_file import GOOD, changed


def protocol(**more):
    return protocol_from_table({**GOOD, "use": {}, "cuts": [64], **more})


def write(folder, subject, seed, n=18, run="1", labels=("left", "right")):
    """Write a recording as an array with its description."""
    rng = np.random.default_rng(seed)
    each = 3 * RATE
    x = rng.standard_normal((each * (n + 1), 3))
    events = []
    for i in range(n):
        at = each // 2 + i * each
        x[at : at + 2 * RATE, i % 2] *= 2
        events.append([at, labels[i % 2]])
    path = folder / f"sub-{subject}_run-{run}.npy"
    np.save(path, x.astype(np.float32))
    said = {"schema": 1, "rate": RATE, "names": ["a", "b", "c"], "events": events}
    path.with_suffix(".json").write_text(json.dumps(said))
    return path


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for i, subject in enumerate(("01", "02")):
        write(data, subject, seed=i)
    return data


def lines(results: Results):
    return [{k: v for k, v in r.items() if k != "seconds"} for r in results.rows]


def test_one_row_a_subject_and_pipeline_in_one_document(folder):
    results = run(protocol(), folder)
    rows = results.rows
    assert [(r["subject"], r["pipeline_name"], r["peer"]) for r in rows] == [
        ("01", "a", False), ("01", "b", True), ("02", "a", False), ("02", "b", True),
    ]  # fmt: skip
    document = json.loads(json.dumps(results.as_dict(), allow_nan=False))
    assert sorted(document) == ["protocol", "rows", "schema", "skipped", "software", "summary"]
    expected = (
        "against chance high interval itr_bits_per_min libraries low metric n n_classes n_folds names note peer "
        "pipeline pipeline_name protocol protocol_name purged recordings score scores seconds session "
        "streamed_equals_offline subject trial_seconds undecided"
    )
    assert sorted(document["rows"][1]) == expected.split()
    ours, _ = document["summary"]
    assert ours["n_subjects"] == 2
    (difference,) = ours["differences"]
    assert difference["peer"] == "b"
    assert difference["mean"] == pytest.approx(np.mean([rows[i]["score"] - rows[i + 1]["score"] for i in (0, 2)]))
    assert difference["low"] <= difference["mean"] <= difference["high"]


def test_work_that_is_done_is_not_done_again(folder, tmp_path):
    seen = []
    first = run(protocol(), folder, out=tmp_path / "out", progress=lambda *a: seen.append(a))
    assert [a[:2] for a in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    seen.clear()
    again = run(protocol(), folder, out=tmp_path / "out", progress=lambda *a: seen.append(a))
    assert not seen
    assert again.as_dict() == first.as_dict()
    run(protocol(seed=1), folder, out=tmp_path / "out", progress=lambda *a: seen.append(a))
    assert len(seen) == 4  # another protocol is other work


def test_a_line_that_was_cut_off_is_done_again(folder, tmp_path):
    first = run(protocol(), folder, out=tmp_path)
    store = tmp_path / "results.jsonl"
    store.write_bytes(store.read_bytes()[:-40])
    seen = []
    again = run(protocol(), folder, out=tmp_path, progress=lambda *a: seen.append(a))
    assert len(seen) == 1
    assert lines(again) == lines(first)
    seen.clear()
    run(protocol(), folder, out=tmp_path, progress=lambda *a: seen.append(a))
    assert not seen


def test_a_changed_recording_is_done_again(folder, tmp_path):
    run(protocol(), folder, out=tmp_path)
    write(folder, "02", seed=9)
    seen = []
    run(protocol(), folder, out=tmp_path, progress=lambda *a: seen.append(a[2]))
    assert seen == ["a: sub-02_run-1.npy", "b: sub-02_run-1.npy"]


def test_processes_find_what_one_finds(folder):
    alone = run(protocol(peer=[]), folder)
    together = run(protocol(peer=[]), folder, jobs=2)
    assert lines(together) == lines(alone)


def test_only_recordings_that_are_meant_are_taken(folder):
    write(folder, "01", seed=5, run="2")
    write(folder, "03", seed=6, labels=("x", "y"))
    results = run(protocol(use={"run": ["1"]}, peer=[]), folder)
    assert [r["recordings"] for r in results.rows] == [["sub-01_run-1.npy"], ["sub-02_run-1.npy"]]
    why = {s["recording"]: s["why"] for s in results.skipped}
    assert "run '2' is not among 1" in why["sub-01_run-2.npy"]
    assert "no event fits left, right; its labels are x, y" in why["sub-03_run-1.npy"]


def test_runs_of_a_session_are_split_together(folder):
    write(folder, "01", seed=5, run="2")
    rows = run(protocol(peer=[]), folder).rows
    assert [(r["subject"], r["n"], len(r["recordings"])) for r in rows] == [("01", 36, 2), ("02", 18, 1)]


def test_a_file_that_was_named_must_fit(folder):
    odd = write(folder, "03", seed=6, labels=("x", "y"))
    with pytest.raises(ContractError, match=r"sub-03_run-1\.npy: no event fits"):
        run(protocol(), odd)
    with pytest.raises(ConfigError, match="needs recordings that fit; got none"):
        run(protocol(use={"subject": ["9"]}), folder)
    with pytest.raises(ConfigError, match="jobs"):
        run(protocol(), folder, jobs=0)


def test_a_copy_under_another_name_is_refused(folder):
    write(folder, "04", seed=0)  # the same samples as subject 01
    with pytest.raises(LeakError, match=r"got sub-04_run-1\.npy with the same samples as sub-01_run-1\.npy"):
        run(protocol(), folder)


def test_one_file_may_hold_several_recordings(tmp_path):
    rng = np.random.default_rng(3)
    arrays = {}
    for name, n in (("train", 30), ("test", 10)):
        y = np.arange(n) % 2
        x = rng.standard_normal((n, 3, 200))
        x[np.arange(n), y] *= 2
        arrays |= {f"x_{name}": x.astype(np.float32), f"y_{name}": np.array(["left", "right"])[y]}
    np.savez(tmp_path / "both.npz", **arrays)
    said = {"description": {"schema": 1, "rate": RATE, "n_channels": 3, "axes": "trial,channel,time"}}
    parts = [{"run": n, "open": {"description": {"data": f"x_{n}", "labels": f"y_{n}"}}} for n in ("train", "test")]
    split = {"kind": "fixed", "train": {"run": ["train"]}, "test": {"run": ["test"]}}
    rows = run(protocol(open=said, part=parts, split=split, peer=[]), tmp_path / "both.npz").rows
    assert (rows[0]["n"], rows[0]["n_folds"]) == (10, 1)
    assert rows[0]["score"] > 0.9
    assert rows[0]["streamed_equals_offline"] is True


def test_nothing_in_a_store_is_executed(folder, tmp_path):
    store = tmp_path / "results.jsonl"
    store.write_text('{"key": 1}\nnot json\n{"key": "x", "rows": [{"row": {}}]}\n[]\n')
    assert len(run(changed_protocol(), folder, out=tmp_path).rows) == 2


def changed_protocol():
    return protocol_from_table(changed(("peer",), None) | {"use": {}, "cuts": []})
