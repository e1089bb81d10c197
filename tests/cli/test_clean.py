"""ranvier clean: findings, the same bits, a page that needs and trusts nothing, whole or not at all."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from ranvier.stage import load_model, load_pipeline

RATE, SECONDS, SEED = 200, 45, 21
FILES = ["clean.json", "pipeline.toml", "report.html"]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a\x1b[31m\nb",
    "&amp;",
    "-C3",
    "eeg",
    "*",
    "O1",
]
VOID = {"meta", "br", "link", "img"}


def save(path, x, names, events=()):
    np.save(path, x.astype(np.float32))
    said = {"schema": 1, "rate": RATE, "names": names, "events": list(events)}
    path.with_suffix(".json").write_text(json.dumps(said))
    return path


def signal(n_channels=6, seconds=SECONDS, hum=30.0):
    rng = np.random.default_rng(SEED)
    n = seconds * RATE
    common = rng.standard_normal((n, 1)).cumsum(axis=0)
    x = 10 * rng.standard_normal((n, n_channels)) + 0.2 * (common - common.mean())
    return x + hum * np.sin(2 * np.pi * 50 * np.arange(n) / RATE)[:, None]


@pytest.fixture
def rec(tmp_path):
    return save(tmp_path / "s01.npy", signal(), ["C3", "Cz", "C4", "O1", "Oz", "O2"], [[400, "cue"]])


class Page(HTMLParser):
    """Refuses what is not closed, and keeps what a page could do or fetch."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.risky, self.text = [], set(), [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.risky += [(tag, k) for k, v in attrs if k.startswith("on") or k in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def pictures(text):
    return [ElementTree.fromstring(s) for s in re.findall(r"<svg.*?</svg>", text, re.S)]


def test_report_pipeline_and_figures(cli, rec, tmp_path):
    folder = tmp_path / "out"
    found = cli("clean", rec, "--out", folder, "--json").json
    assert (found["schema"], found["verb"], found["pipeline"]) == (1, "clean", "proposed")
    assert [p["use"] for p in found["proposed"]] == ["denoise.Integrity", "denoise.LineNoise"]
    assert sorted(p.name for p in folder.iterdir()) == FILES == found["written"]
    said = json.loads((folder / "clean.json").read_text())
    assert said["output_sha256"] == found["output_sha256"]
    row = said["channels"][0]
    assert row["line_after"] < 0.05 * row["line_before"]
    assert row["rms_removed"] == pytest.approx(30 / 2**0.5, rel=0.02)

    page = (folder / "report.html").read_text(encoding="utf-8")
    assert len(page) < 2_000_000
    seen = Page(page)
    assert not seen.tags & {"script", "link", "img", "iframe", "object"}
    assert seen.risky == []
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page) == []
    assert "url(" not in page.replace("url(#c", "")
    assert len(pictures(page)) >= 4
    for word in (
        "frequency [Hz]",
        "uV²/Hz",
        "time [s]",
        "denoise.LineNoise",
        "Thought of, and not proposed",
        found["summary"],
    ):
        assert word in seen.text


def test_the_pipeline_runs_as_written_with_the_same_bits(cli, rec, tmp_path):
    from hashlib import sha256

    found = cli("clean", rec, "--out", tmp_path / "out", "--json").json
    assert load_pipeline(tmp_path / "out" / "pipeline.toml").id == found["pipeline_id"]
    ran = cli("run", tmp_path / "out" / "pipeline.toml", rec, "--block", 37, "--out", tmp_path / "x.npz", "--json").json
    assert ran["pipeline_id"] == found["pipeline_id"]
    with np.load(tmp_path / "x.npz") as out:
        numbers, masks = sha256(np.where(out["valid"], out["data"], 0).tobytes()), sha256(out["valid"].tobytes())
    assert sha256(numbers.digest() + masks.digest()).hexdigest() == found["output_sha256"]


def test_the_table_says_the_same(cli, rec, tmp_path):
    said = cli("clean", rec, "--out", tmp_path / "out")
    assert said.code == 0
    assert "50.00 Hz is" in said.out
    assert "denoise.LineNoise" in said.out
    assert "pipeline.toml" in said.out


def test_own_pipeline_and_what_it_learns(cli, rec, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('schema = 1\n[[stage]]\nuse = "denoise.Integrity"\n[[stage]]\nuse = "denoise.Highpass"\nlow = 0.5\n'
                   '[[stage]]\nuse = "denoise.ASR"\n')  # fmt: skip
    found = cli("clean", rec, "--pipeline", own, "--out", tmp_path / "out", "--json").json
    assert found["learned"]
    assert sorted(found["written"]) == sorted([*FILES, "pipeline.rvm"])
    model = load_model(tmp_path / "out" / "pipeline.rvm")
    assert model.id == found["pipeline_id"]
    ran = cli("run", tmp_path / "out" / "pipeline.rvm", rec, "--json").json
    assert ran["pipeline_id"] == found["pipeline_id"]
    assert "as given" in (tmp_path / "out" / "report.html").read_text()
    again = cli(
        "clean", rec, "--pipeline", tmp_path / "out" / "pipeline.rvm", "--out", tmp_path / "again", "--json"
    ).json
    assert again["output_sha256"] == found["output_sha256"]


def test_hostile_names_are_text(cli, tmp_path):
    x = signal(len(HOSTILE), 30)
    x[1000:3000, 0] = 0.0
    rec = save(tmp_path / "<b>.npy", x, HOSTILE)
    said = cli("clean", rec, "--out", tmp_path / "out")
    assert said.code == 0
    assert "\x1b" not in said.out
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    seen = Page(page)
    assert not seen.tags & {"script", "img", "b" * 2}
    assert seen.risky == []
    assert "<script" not in page.lower()
    assert "\x1b" not in page
    assert HOSTILE[0] in seen.text
    assert pictures(page)
    text = (tmp_path / "out" / "pipeline.toml").read_text()
    assert "\x1b" not in text
    assert cli("run", tmp_path / "out" / "pipeline.toml", rec).code == 0


def test_a_folder_that_holds_something_is_left_alone(cli, rec, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    assert cli("clean", rec, "--out", folder).code == 0  # an empty one is fine
    (folder / "mine.txt").write_text("mine")
    (folder / "pipeline.rvm").write_text("old")
    assert "--force" in cli("clean", rec, "--out", folder).message
    assert cli("clean", rec, "--out", folder, "--force").code == 0
    assert sorted(p.name for p in folder.iterdir()) == sorted([*FILES, "mine.txt"])
    assert (folder / "mine.txt").read_text() == "mine"
    assert "is a file" in cli("clean", rec, "--out", rec).message
    assert "does not" in cli("clean", rec, "--out", tmp_path / "no" / "out").message


def test_stopped_half_way_nothing_is_left(cli, rec, tmp_path, monkeypatch):
    from ranvier.evaluate.cleaning import _clean, _folder

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(_clean, "run_over", stop)
    assert cli("clean", rec, "--out", tmp_path / "out").code == 130
    monkeypatch.undo()
    monkeypatch.setattr(_folder.json, "dumps", stop)  # while the files are being written
    assert cli("clean", rec, "--out", tmp_path / "out").code == 130
    monkeypatch.undo()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s01.json", "s01.npy"]


def test_of_two_runs_into_one_folder_one_is_told(cli, rec, tmp_path, monkeypatch):
    from ranvier.evaluate.cleaning import _clean

    run_over, folder = _clean.run_over, tmp_path / "out"

    def meanwhile(*given):
        folder.mkdir()
        (folder / "report.html").write_text("theirs")
        return run_over(*given)

    monkeypatch.setattr(_clean, "run_over", meanwhile)
    assert "--force" in cli("clean", rec, "--out", folder).message
    assert [(p.name, p.read_text()) for p in folder.iterdir()] == [("report.html", "theirs")]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "s01.json", "s01.npy"]


def test_force_replaces_all_files_or_none(cli, rec, tmp_path):
    (tmp_path / "out" / "report.html").mkdir(parents=True)
    assert "report.html is a folder" in cli("clean", rec, "--out", tmp_path / "out", "--force").message
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["report.html"]


def test_here_and_long_names_are_folders_too(cli, rec, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert cli("clean", rec, "--out", ".").code == 0
    assert sorted(p.name for p in (tmp_path / "here").iterdir()) == FILES
    assert cli("clean", rec, "--out", "x" * 250).code == 0


@pytest.mark.parametrize("seconds", [0.02, 1, 3])
@pytest.mark.parametrize("n_channels", [1, 5])
def test_short_and_narrow_ones(cli, tmp_path, seconds, n_channels):
    n = max(2, round(seconds * RATE))
    rec = save(tmp_path / "s.npy", signal(n_channels, 4)[:n], [f"E{i}" for i in range(n_channels)])
    found = cli("clean", rec, "--out", tmp_path / "out", "--json").json
    assert any(f["level"] == "unknown" for f in found["findings"])
    Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))


def test_nothing_valid_is_said(cli, tmp_path):
    rec = save(tmp_path / "s.npy", np.full((4000, 3), np.nan), ["a", "b", "c"])
    found = cli("clean", rec, "--out", tmp_path / "out", "--json").json
    assert found["channels"][0]["rms_after"] == 0
    assert found["channels"][0]["valid_before"] == 0
    seen = Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert "nothing to show" in seen.text


def test_wrong_input(cli, rec, files, tmp_path):
    out = ["--out", tmp_path / "out"]
    assert "does not exist" in cli("clean", tmp_path / "no.edf", *out).message
    assert (
        "its rate" in cli("clean", rec, "--pipeline", _toml(tmp_path, "denoise.Decimate", "factor = 2"), *out).message
    )
    assert "learns from labels" in cli("clean", files / "s01.npy", "--pipeline", files / "recipe.toml", *out).message
    assert "at the entrance" in cli("clean", rec, "--pipeline", _toml(tmp_path, "denoise.ASR"), *out).message
    assert "stimulation > 0" in cli("clean", rec, "--stimulation", -1, *out).message
    assert not (tmp_path / "out").exists()


def _toml(folder, use, more=""):
    path = folder / "given.toml"
    path.write_text(f'schema = 1\n[[stage]]\nuse = "{use}"\n{more}\n')
    return path


def test_it_writes_where_one_is_and_not_among_the_recordings(cli, rec, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    before = sorted(rec.parent.iterdir())
    said = cli("clean", rec)
    assert said.code == 0
    assert "report.html says why not" in said.out
    assert (here / f"{rec.stem}-clean" / "report.html").exists()
    assert sorted(p for p in rec.parent.iterdir() if p != here) == [p for p in before if p != here]
