"""The demo: what it shows is what the library gives, and a person without skill is decoded at chance."""

import io

import numpy as np
import pytest

from ranvier.cli._live import Live, Part
from ranvier.cli._paradigms import PARADIGMS, electrodes, guess
from ranvier.cli._referee import Referee
from ranvier.cli._view import Lines, Picture, bar, spark
from ranvier.stage import feed


@pytest.fixture(scope="module")
def fitted():
    """A recipe of the demo, fitted on a simulated person, and that person."""
    from pathlib import Path

    from ranvier.cli._files import open_pipeline

    task = PARADIGMS["ssvep"]
    person = task.subject(6, seed=3)
    trials = person.trials(task.labels, task.tmin, task.tmax)
    start = int(trials.end[15])
    return open_pipeline(Path("ssvep")).fit(Part(person, start), trials[:16]), person, trials[16:], start


def live(fitted, folder, size=10, seconds=20):
    stage, person, trials, start = fitted
    stop = start + seconds * person.rate
    rest = trials[trials.end <= stop]
    return Live(stage=stage, recording=person, trials=rest, start=start, stop=stop, size=size, folder=folder)


@pytest.mark.parametrize("paradigm", ["ssvep", "mi"])
def test_a_simulated_person_is_decoded_above_chance_and_replayed_to_the_bit(cli, paradigm):
    said = cli("demo", "--paradigm", paradigm, "--fast", "--seconds", 30, "--json")
    found = said.json
    assert said.code == 0
    assert found["replay"]["blocks"] == [1, 7, 64, 7500]
    assert found["replay"]["identical"]
    assert found["verified"]
    assert found["recording"]["state"] == "closed"
    assert found["commands"]["approved"] > 0
    assert found["n"] >= 5
    assert found["low"] <= found["accuracy"] <= found["high"]
    assert found["accuracy"] > found["chance"]
    assert found["right"] == sum(t["right"] for t in found["trials"])
    assert 0 < found["compute_us"]["p50"] <= found["compute_us"]["p99"]


def test_a_person_without_skill_is_decoded_at_chance(monkeypatch, cli):
    """The negative control: the same cues, the same pipeline, nothing of what is meant in the signal."""
    from ranvier.twin import Person, SimulatedSubject, cued

    def unable(self, n_each, seed):
        cues = cued(self.intents, n_each, duration=self.duration, pause=self.pause, seed=seed)
        return SimulatedSubject(cues=cues, seed=seed, channels=self.channels, person=Person(skill=0.0))

    monkeypatch.setattr(type(PARADIGMS["ssvep"]), "subject", unable)
    found = cli("demo", "--fast", "--seconds", 60, "--json").json
    assert found["low"] < found["chance"] < found["high"]


def test_a_recording_is_learned_from_in_its_first_half(cli, files):
    found = cli("demo", "--recording", files / "s01.npy", "--fast", "--tmin", 0, "--json").json
    assert found["paradigm"] == "mi"
    assert found["classes"] == ["cue/left", "cue/right"]
    assert found["training"]["n"] + found["n"] <= 19
    assert found["accuracy"] > 0.8
    assert found["replay"]["identical"]


def test_of_several_recordings_the_last_is_decoded(cli, files):
    names = ("--recording", files / "s01.npy", "--recording", files / "s02.npy")
    found = cli("demo", *names, "--fast", "--tmin", 0, "--json").json
    assert (found["training"]["n"], found["n"], found["decoded_seconds"]) == (19, 19, 60.0)
    assert found["title"].startswith("s02.npy: ")


def test_a_recording_of_a_person(cli, shared):
    pytest.importorskip("edfio")
    folder = shared / "eegmmidb_s001"
    names = [a for r in ("06", "10", "14") for a in ("--recording", folder / f"S001R{r}.edf")]
    found = cli("demo", *names, "--fast", "--json").json
    assert found["classes"] == ["T1", "T2"]  # the pauses, T0, come twice as often
    assert found["low"] > 0.5  # imagined fists and feet: 1.00 and .93 are published for five folds
    assert found["replay"]["identical"]


def test_the_referee_decides_as_offline_scores_do(fitted):
    from ranvier.evaluate._bench import trial_scores
    from ranvier.stage import Run, Stream

    stage, person, trials, start = fitted
    run = Run(stage, person.info)
    blocks = [b for b in feed(run, person, 33, start) if b.n]
    scores = trial_scores({0: Stream(run.info, blocks)}, trials, np.arange(len(trials)), run.info.channels.names)
    referee = Referee(run.info, trials)
    again = Run(stage, person.info)
    for block in person.blocks(10, start):
        referee.hear(again.push(block), block.stop)
    mine = np.array([a.total / a.n for a in referee.attempts])
    assert np.allclose(mine, scores, rtol=1e-12, atol=0)
    assert all(a.over for a in referee.attempts)


@pytest.mark.parametrize("size", [1, 10, 250])
def test_live_gives_the_decisions_of_the_pipeline_for_any_block(fitted, tmp_path, size):
    from ranvier import record
    from ranvier.denoise import Integrity
    from ranvier.stage import Run, chain

    run = live(fitted, tmp_path, size)
    run.go(True, lambda *_: None)
    stage, person, _, start = fitted
    whole = Run(chain(Integrity(), stage), person.info)
    offline = [b for b in feed(whole, person, 64, start, run.stop) if b.n]
    online = [b for b in record.open(run.path).output("output") if b.n]
    for name in ("data", "valid"):
        mine, theirs = (np.concatenate([getattr(b, name) for b in blocks]) for blocks in (online, offline))
        assert mine.tobytes() == theirs.tobytes()
    assert run.check([33]).identical


def test_a_replay_that_differs_is_seen(fitted, tmp_path, monkeypatch):
    from ranvier.session import Replayed

    run = live(fitted, tmp_path)
    run.go(True, lambda *_: None)
    there = Replayed(run.path).recorded()
    there[3] = there[3].copy()
    there[3].data.flat[0] += 1e-7
    monkeypatch.setattr(Replayed, "recorded", lambda self: there)
    assert not run.check([7]).identical


def test_a_beginning_ends_where_it_says(fitted):
    _, person, _, start = fitted
    part = Part(person, start)
    assert sum(b.n for b in part.blocks(333)) == start
    assert part.events.n < person.events.n


def test_electrodes_and_paradigm_are_told_by_names():
    from ranvier.stream import Channels, StreamInfo

    class Rec:
        def __init__(self, names, kinds="eeg"):
            self.info = StreamInfo.signal(250, Channels.of(names, kinds))

    assert guess(Rec(["Fp1", "C3", "Cz", "C4"])) == "mi"
    assert guess(Rec(["Oz", "O1"])) == "ssvep"
    assert electrodes(Rec(["Fp1", "C3", "Cz", "c4", "Cp3", "CH1", "FC1", "F3"]), "mi") == (
        "C3",
        "Cz",
        "c4",
        "Cp3",
        "FC1",
    )
    assert electrodes(Rec(["E1", "E2", "EOG"], ["eeg", "eeg", "eog"]), "mi") == ("E1", "E2")


def test_bars_and_sparks():
    assert bar(0.0, 4) == "    "
    assert bar(1.0, 4) == bar(7.0, 4) == "████"
    assert bar(0.5 + 1 / 32, 4) == "██▏ "
    wave, half = spark(np.r_[np.zeros(5), np.full(5, 10.0), np.full(5, -10.0)], 250.0, 80)
    assert (len(wave), half) == (3, 10.0)
    assert wave[1] == "█"
    assert wave[2] == "▁"
    t = np.arange(2000) / 250
    assert spark(np.sin(2 * np.pi * 50 * t), 250.0, 50)[1] < 1e-6  # the mains are averaged out


def test_the_picture_shows_cue_decision_accuracy_and_latency(fitted, tmp_path):
    from rich.console import Console

    run = live(fitted, tmp_path)
    screen = Picture("t")
    seen = []

    def look(run, ended):
        console = Console(file=io.StringIO(), width=100)
        console.print(screen.picture(run))
        seen.append(console.file.getvalue())

    run.go(True, look)
    text = "\n".join(seen)
    for words in (
        "is asked for",
        "decided so far",
        "waits for the next cue",
        "listens",
        "✓",
        "computing",
        "95 % interval",
        "█",
    ):
        assert words in text
    assert max(len(row) for row in text.splitlines()) <= 100


def test_lines_tell_each_trial(fitted, tmp_path, capsys):
    run = live(fitted, tmp_path)
    with Lines("decoding", quiet=False) as lines:
        run.go(True, lines.look)
    assert capsys.readouterr().out.count("asked for") == len(run.referee.over) > 0
