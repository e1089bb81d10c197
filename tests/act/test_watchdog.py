"""The process that owns an actuator: real processes, killed and stopped; nothing sleeps, everything is waited for."""

import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ranvier.act import Command, Guard, Watchdog
from ranvier.act import _watchdog as module
from ranvier.act._wire import COMMAND, STOP, decode
from ranvier.errors import ConfigError, DeviceError, StateError
from ranvier.stream import Channels

PATIENCE = 30.0  # a bound for failure, never waited for
SILENCE = 0.5
NAMES, UNITS = ("x",), ("1",)


@pytest.fixture
def peer():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        s.bind(("127.0.0.1", 0))
        s.settimeout(PATIENCE)
        yield s


def port(peer):
    return peer.getsockname()[1]


def until(peer, kind):
    """Return the next frame of a kind, those before it, and when it came [ns]."""
    before = []
    while True:
        frame = decode(peer.recv(2000))
        if frame.kind == kind:
            return frame, before, time.monotonic_ns()
        before.append(frame)


def approved(k, value=None, lifetime=10**9):
    now = time.monotonic_ns()
    c = Command(values=(float(k) if value is None else value,), names=NAMES, units=UNITS, sample=k, age=0.0, made=now,
                expires=now + lifetime, sequence=k, graph="g", model="m")  # fmt: skip
    return Guard().approve(c, now)


@pytest.fixture
def dog(peer):
    with Watchdog(f"udp:127.0.0.1:{port(peer)}", silence=SILENCE) as dog:
        yield dog


def start_loop(peer, silence=SILENCE, *how):
    loop = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("loop.py")), str(port(peer)), str(silence), *how],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert select.select([loop.stdout], [], [], PATIENCE)[0]
    return loop, int(loop.stdout.readline())


def end_loop(loop):
    loop.kill()
    loop.wait(PATIENCE)
    loop.stdin.close()
    loop.stdout.close()


def wait_for_end(pid):
    """Wait until a process that is not a child of ours has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], PATIENCE)[0])
    finally:
        os.close(fd)


def kill_and_measure(peer, chance):
    """Kill a loop after some commands; return for how long after that its actuator was not safe yet [s]."""
    loop, keeper = start_loop(peer)
    try:
        for _ in range(chance.randrange(1, 12)):
            until(peer, COMMAND)
        began = time.monotonic_ns()
        loop.send_signal(signal.SIGKILL)
        stop, before, at = until(peer, STOP)
        assert all(f.session == stop.session for f in before)
        assert wait_for_end(keeper)
        peer.setblocking(False)
        try:
            rest = [decode(peer.recv(2000)).kind for _ in range(2)]  # it says so three times
            assert rest == [STOP, STOP]
            with pytest.raises(BlockingIOError):
                peer.recv(2000)
        finally:
            peer.settimeout(PATIENCE)
        return (at - began) * 1e-9
    finally:
        end_loop(loop)


def check_kills(peer, n, seed):
    took = sorted(kill_and_measure(peer, random.Random(f"{seed} {k}")) for k in range(n))
    print(f"SIGKILL of the loop to the safe state, {n} times: median {took[n // 2] * 1e3:.2f} ms, "
          f"largest {took[-1] * 1e3:.2f} ms")  # fmt: skip
    assert took[-1] < SILENCE


def test_killed_loops_leave_a_safe_actuator_and_no_process(peer):
    check_kills(peer, 5, 1)


@pytest.mark.slow
def test_many_killed_loops(peer):
    check_kills(peer, 200, 2)


def test_a_loop_that_hangs_is_noticed_and_taken_up_again(peer):
    loop, keeper = start_loop(peer, 0.2)
    try:
        first, _, _ = until(peer, COMMAND)
        loop.send_signal(signal.SIGSTOP)
        stop, more, at = until(peer, STOP)
        last = [first, *more][-1]
        assert 0.2 <= (at - last.sent) * 1e-9 < 0.4
        loop.send_signal(signal.SIGCONT)
        again, _, _ = until(peer, COMMAND)
        assert again.sequence > stop.sequence
        loop.send_signal(signal.SIGKILL)
        until(peer, STOP)
        assert wait_for_end(keeper)
    finally:
        end_loop(loop)


def test_a_copy_of_the_loop_that_lives_on_leaves_it_to_the_silence(peer):
    loop, keeper = start_loop(peer, 0.2, "fork")
    try:
        loop.send_signal(signal.SIGKILL)
        last, at = None, 0
        while last is None or last.kind == COMMAND:
            before, last, at = last, decode(peer.recv(2000)), time.monotonic_ns()
        assert before is not None
        assert 0.2 <= (at - before.sent) * 1e-9 < 0.4
        loop.stdin.close()
        assert wait_for_end(keeper)
    finally:
        end_loop(loop)


def test_commands_pass_with_what_belongs_to_them(peer, dog):
    first = approved(7)
    assert dog.send(first)
    frame, _, _ = until(peer, COMMAND)
    c = first.command
    assert (frame.values, frame.sequence, frame.sample) == ((7.0,), 7, 7)
    assert (frame.made, frame.expires) == (c.made, c.expires)
    assert dog.status() == {"state": "running", "sent": 1, "dropped": 0, "trips": 0}


def test_silence_reaches_the_safe_state_and_the_next_command_leaves_it(peer, dog):
    dog.send(approved(1))
    frame, _, _ = until(peer, COMMAND)
    _, _, at = until(peer, STOP)
    assert SILENCE <= (at - frame.sent) * 1e-9 < 2 * SILENCE
    assert dog.status()["state"] == "safe"
    assert dog.counts["trips"] == 1
    dog.send(approved(2))
    assert until(peer, COMMAND)[0].sequence == 2


def test_a_latch_holds_until_it_is_started_again(peer):
    with Watchdog(f"udp:127.0.0.1:{port(peer)}", silence=0.05, latch=True) as dog:
        dog.send(approved(1))
        until(peer, STOP)
        dog.send(approved(2))
        assert dog.status()["refused_stopped"] == 1
        dog.stop()
        dog.start()
        dog.send(approved(3))
        frame, before, _ = until(peer, COMMAND)
        assert frame.sequence == 3
        assert {f.kind for f in before} <= {STOP}


def test_expired_and_repeated_commands_are_refused_again(peer, dog):
    late = approved(1, lifetime=1)
    dog.send(late)
    twice = approved(2)
    dog.send(twice)
    dog.send(twice)
    dog.send(approved(1))
    status = dog.status()
    assert (status["refused_expired"], status["refused_sequence"], status["sent"]) == (1, 2, 1)
    assert until(peer, COMMAND)[0].sequence == 2


def test_what_waited_while_the_process_was_suspended_is_refused_when_too_late(peer, dog):
    os.kill(dog.pid, signal.SIGSTOP)
    lifetime = 10**6
    sent = 0
    while dog.send(approved(sent + 1, lifetime=lifetime)):
        sent += 1  # until the pipe is full: a suspended process never blocks a send
    assert sent > 100
    assert dog.dropped == 1
    os.kill(dog.pid, signal.SIGCONT)
    status = dog.status()
    assert status["sent"] + status["refused_expired"] == sent
    assert status["refused_expired"] > sent // 2
    dog.send(approved(10**6))
    frame, before, _ = until(peer, COMMAND)
    carried_out = [f for f in [*before, frame] if f.kind == COMMAND]
    assert all(f.sent < f.expires for f in carried_out)


def test_interrupts_are_for_the_loop(peer, dog):
    dog.send(approved(1))
    os.kill(dog.pid, signal.SIGINT)
    assert dog.status()["state"] == "running"
    assert os.getpgid(dog.pid) != os.getpgid(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_goes_through_the_safe_state(peer, dog, number):
    dog.send(approved(1))
    until(peer, COMMAND)
    os.kill(dog.pid, number)
    until(peer, STOP)
    assert wait_for_end(dog.pid)
    with pytest.raises(DeviceError, match="gone"):
        dog.send(approved(2))


def test_a_termination_does_not_cut_short_the_way_to_the_safe_state():
    code = """
import os, signal, sys
from ranvier.act import _keeper
class Slow:  # somebody terminates it while it is on its way
    sent = dropped = 0
    safe = True
    def open(self): pass
    def close(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
            os.kill(os.getpid(), number)
        print("reached", file=sys.stderr)
_keeper.make = lambda said: Slow()
sys.exit(_keeper.main())
"""
    given = '{"actuator": "", "silence": 1, "latch": false}'
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, given], input="", capture_output=True, text=True, timeout=PATIENCE, env=env
    )
    assert (done.returncode, done.stderr) == (0, "reached\n")


def test_a_dead_process_is_told_at_once_and_can_be_stopped_closed_and_opened_again(peer, dog):
    dog.send(approved(1))
    os.kill(dog.pid, signal.SIGKILL)
    assert wait_for_end(dog.pid)
    with pytest.raises(DeviceError, match="process is gone"):
        dog.send(approved(2))
    dog.stop()
    with pytest.raises(DeviceError, match="process is gone"):
        dog.start()
    dog.close()
    with pytest.raises(StateError, match="it is closed"):
        dog.status()
    dog.open()
    dog.start()
    assert dog.send(approved(3))
    assert dog.status()["state"] == "running"


def test_a_deaf_process_is_ended(peer, monkeypatch):
    dog = Watchdog(f"udp:127.0.0.1:{port(peer)}")
    dog.open()
    dog.start()
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    pid = dog.pid
    os.kill(pid, signal.SIGSTOP)
    dog.stop()
    dog.close()
    assert wait_for_end(pid)


def test_an_actuator_that_cannot_be_opened_is_named(tmp_path):
    path = tmp_path / "none" / "log"
    with pytest.raises(DeviceError, match="Log cannot write"):
        Watchdog(f"log:{path}").open()


def test_an_actuator_that_fails_while_it_runs_is_named(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    error = "none"
    with Watchdog("log:/dev/full") as dog:
        for k in range(1, 100):
            dog.send(approved(k))
            try:
                dog.status()
            except DeviceError as e:
                error = str(e)
                break
    assert "No space left" in error


@pytest.mark.parametrize(("make", "match"), [
    (lambda: Watchdog("udp:nowhere"), "HOST:PORT"),
    (lambda: Watchdog("udp:h:1", silence=0), "silence"),
    (lambda: Watchdog("udp:h:1", silence=float("nan")), "silence"),
    (lambda: Watchdog("watchdog:udp:h:1"), "another Watchdog"),
    (lambda: Watchdog({"use": "act.UPD"}), "act.UDP"),
    (lambda: Watchdog("udp:h:1").check(Channels.of(600, "command", "1")), "at most"),
    (lambda: Watchdog("udp:h:1").check(Channels.of([f"{i:0100}" for i in range(50)], "command", "1")), "shorter"),
])  # fmt: skip
def test_wrong_ones_are_refused(make, match):
    with pytest.raises(ConfigError, match=match):
        make()


def test_it_is_there_soon_and_brings_no_compiler():
    code = """
import sys, time
began = time.process_time()
import ranvier.act._keeper
heavy = {"numba", "llvmlite", "scipy", "pydantic", "serial", "pylsl"} & set(sys.modules)
assert not heavy, heavy
print(time.process_time() - began)
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert float(out.stdout) < 1.0
