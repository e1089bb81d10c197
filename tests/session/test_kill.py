"""SIGKILL at random moments, of the recorder, of the loop, of both: what is lost, and what goes on.

With -m slow there are 500 in all; `RANVIER_KILLS` sets how many a kind.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ranvier import record
from ranvier.session import replay
from tests.session.killed import PACKET, RATE, WIDTH, Status
from tests.session.processes import numbers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc")
PATIENCE = 60.0  # s; a bound for failure
LOST = 0.1  # s that may be lost of what the source has handed over
SEED = 20


class Sessions:
    """A process that makes the sessions that are killed."""

    def __init__(self, folder):
        self.folder = folder
        root = Path(__file__).parents[2]
        env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.session.killed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root,
            env=env, text=True, bufsize=1,
        )  # fmt: skip
        self.made, self.running = 0, None

    def begin(self, path, graph=True, actuator=""):
        self._clear()
        self.made += 1
        place = self.folder / f"{self.made}.status"
        status = Status(place)
        said = {"path": str(path), "status": str(place), "graph": graph, "actuator": str(actuator)}
        self.process.stdin.write(json.dumps(said) + "\n")
        pid = self.running = int(self.process.stdout.readline())
        until(lambda: (status["running"] and status["loop"] > 0) or not alive(pid))
        assert alive(pid)
        return pid, status

    def ended(self):
        """How the session that is running has ended."""
        how, self.running = int(self.process.stdout.readline()), None
        return how

    def _clear(self):
        """End what a test that failed has left running: nobody else would."""
        if self.running is not None:
            os.kill(self.running, signal.SIGKILL)  # a child that nobody has waited for keeps its number
            self.ended()

    def close(self):
        self._clear()
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true, patience=PATIENCE):
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.001)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    made = Sessions(tmp_path_factory.mktemp("killed"))
    yield made
    made.close()


def check(path, begin=0):
    """All that is recorded from an index on is what was delivered; return its stretches."""
    found = record.open(path)
    for d in found.raw("signal").blocks():
        if d.start >= begin:
            assert np.array_equal(d.samples, numbers(d.start - begin, len(d.samples), WIDTH))
    assert not record.verify(path).damage
    return found.raw("signal").stretches


def one(kind, sessions, path, rng, before, figures, timed):
    """Run a session, kill it at a random moment, look at what is left; return how many stretches there are now."""
    pid, status = sessions.begin(path)
    recorder = status["recorder"]
    time.sleep(rng.uniform(0, 1.2))
    order = [pid, recorder] if rng.random() < 0.5 else [recorder, pid]
    for victim in [pid] if kind == "loop" else order:
        os.kill(victim, signal.SIGKILL)
    assert sessions.ended() == -signal.SIGKILL
    until(lambda: not alive(recorder))
    stretches = record.open(path).raw("signal").stretches
    assert before <= len(stretches) <= before + 1
    begin, stop = stretches[-1] if len(stretches) > before else (stretches[-1][1],) * 2 if before else (0, 0)
    assert len(check(path, begin)) == len(stretches)
    handed, durable = status["handed"], status["durable"]
    lost = (handed - (stop - begin)) / RATE
    figures.append(lost)
    print(f"{kind} {len(figures)}: lost {1e3 * lost:.0f} ms", flush=True)
    assert not timed or lost <= LOST, f"{1e3 * lost:.0f} ms lost"
    assert durable <= stop, "what was durable is gone"
    if kind == "loop":
        assert record.open(path).closed
        assert not timed or lost <= PACKET / RATE + 0.02  # what was in the hands of the intake
    return len(stretches)


def rounds(kind, n, sessions, folder, again=5, timed=False):
    """Kill sessions one after the other; so many of them add to one recording.

    Where it is `timed`, what was lost has a limit: how much it is depends on what else the machine has to do.
    """
    rng, figures, there = np.random.default_rng([SEED, len(kind), n]), [], 0
    for k in range(n):
        path = folder / f"{kind}-{k // again}.rvr"
        there = one(kind, sessions, path, rng, there if k % again else 0, figures, timed)
    reasons = [g.payload["reason"] for g in record.open(path).log("gap")]
    assert reasons.count("session resumed") <= (n - 1) % again
    assert replay(path).check([None, 64]).identical
    print(
        f"{kind}: {n} kills, lost {1e3 * max(figures):.0f} ms at most, {1e3 * float(np.median(figures)):.0f} ms median"
    )


def recorders(n, sessions, path):
    """Kill the recorder again and again while the session goes on."""
    rng = np.random.default_rng([SEED, n])
    pid, status = sessions.begin(path)
    for _ in range(n):
        until(lambda: status["standby"])
        recorder = status["recorder"]
        time.sleep(rng.uniform(0, 0.7))
        os.kill(recorder, signal.SIGKILL)
        until(lambda was=recorder: status["recorder"] != was)
    deaths = n
    until(lambda: status["standby"])
    if rng.random() < 0.5:  # once more, while it writes the rest
        os.kill(status["recorder"], signal.SIGKILL)
        deaths += 1
    status["wish"] = 1
    assert sessions.ended() == 0
    assert not alive(pid)
    assert status["deaths"] >= n
    assert check(path) == [(0, status["handed"])]
    found = record.open(path)
    assert found.closed
    assert not list(found.log("loss"))
    said = [g.payload["reason"] for g in found.log("gap")]
    assert set(said) == {"recorder started again"}
    assert len(said) <= deaths  # one that is killed at once may not have said it
    numbered = [n.payload["number"] for n in found.log() if "number" in n.payload]
    assert numbered == sorted(set(numbered)), "a note came twice"
    print(f"recorder: killed {deaths} times, nothing lost", flush=True)
    verdict = replay(path).check([None, 64])
    assert verdict.identical
    (end,) = (n.payload["stops"] for n in found.log("text") if n.payload["of"] == "end")
    assert verdict.decisions == end[0] > 0


def test_what_a_killed_loop_has_handed_over_is_recorded_and_closed(sessions, tmp_path):
    rounds("loop", 3, sessions, tmp_path)


def test_a_killed_session_is_read_without_repair_and_gone_on_with(sessions, tmp_path):
    rounds("whole", 3, sessions, tmp_path)


def test_another_recorder_takes_over_and_nothing_is_lost(sessions, tmp_path):
    recorders(3, sessions, tmp_path / "r.rvr")


def test_the_actuator_is_made_safe_when_the_loop_is_killed(sessions, tmp_path):
    log = tmp_path / "acts.jsonl"
    pid, status = sessions.begin(tmp_path / "a.rvr", actuator=log)
    until(lambda: log.stat().st_size > 1000)
    before = log.stat().st_size
    os.kill(pid, signal.SIGKILL)
    assert sessions.ended() == -signal.SIGKILL
    until(lambda: '"safe"' in log.read_text()[before // 2 :])
    until(lambda: not alive(status["recorder"]))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1]["safe"]
    assert record.open(tmp_path / "a.rvr").closed


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["loop", "whole", "recorder"])
def test_five_hundred_kills(kind, sessions, tmp_path):
    n = int(os.environ.get("RANVIER_KILLS", "167"))
    if kind != "recorder":
        rounds(kind, n, sessions, tmp_path, timed=True)
    for k in range(0, n if kind == "recorder" else 0, 12):
        recorders(min(12, n - k), sessions, tmp_path / f"{k}.rvr")
