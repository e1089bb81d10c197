"""Sources that deliver what they should not: what is no sample is told, and the others go on."""

import re
import time
from dataclasses import dataclass

import numpy as np
import pytest

from ranvier.acquire import Mark, Packet, Source
from ranvier.denoise import Integrity
from ranvier.errors import DeviceError
from ranvier.session import Session
from ranvier.stream import StreamInfo

N = 10


@dataclass(eq=False)
class Given(Source):
    """Delivers, one a call, what it was given."""

    packets: tuple = ()

    def _open(self):
        self._info, self._entrance = StreamInfo.signal(250, 2), Integrity()

    def _start(self):
        if not hasattr(self, "_left"):  # a device that comes back goes on
            self._left = iter(self.packets)

    def _read(self, timeout):
        for packets in self._left:
            if packets and isinstance(packets[0], Exception):
                raise packets[0]
            return packets
        raise EOFError

    def _stop(self):
        pass

    def _close(self):
        pass


def good(start, n=N, dtype=np.float32, channels=2):
    return Packet(np.ones((n, channels), dtype), start, time.monotonic_ns())


def run(*packets, **given):
    with Session(Given(packets), Integrity(), **given) as s:
        return s.run().as_table()


def test_packets_without_samples_are_none():
    found = run([good(0)], [good(N, 0)], [], [good(N)], [good(2 * N, 0), good(2 * N)])
    assert (found["counts"]["samples"], found["sources"]["signal"]["failure"]) == (3 * N, "")


@pytest.mark.parametrize("sample", [float("nan"), float("inf"), -float("inf")])
def test_a_mark_at_no_instant_ends_nothing(sample, tmp_path):
    from ranvier import record

    marks = [Mark(sample, "x", 0.0, 0), Mark(3.0, "cue", float("nan"), time.monotonic_ns()), good(0)]
    found = run(marks, [good(N)], record=tmp_path / "x.rvr")
    assert (found["counts"]["samples"], found["ended"]) == (2 * N, "source")
    notes = list(record.open(tmp_path / "x.rvr").log())
    assert [n.payload["label"] for n in notes if n.payload.get("reason") == "mark at no instant"] == ["x"]
    assert [n.payload["label"] for n in notes if n.kind == "event"] == ["cue"]


def test_marks_of_a_device_that_came_back_lie_among_its_new_samples(tmp_path):
    from ranvier import record

    def again(k):
        return [Mark(k + 3.0, f"cue {k}", 0.0, time.monotonic_ns()), good(k)]

    run(again(0), [DeviceError("the cable")], again(0), again(N), record=tmp_path / "x.rvr")
    found = record.open(tmp_path / "x.rvr")
    (_, stop), (begin, _) = found.raw("signal").stretches
    assert begin > stop == N
    assert [n.sample for n in found.log("event")] == [3, begin + 3, begin + N + 3]


@pytest.mark.parametrize(
    ("packets", "said"),
    [
        ([good(N, dtype=np.float64)], "got float64"),
        ([good(N, channels=3)], r"got float32 \(10, 3\)"),
        ([Packet([[1.0, 2.0]], N, 0)], "got list"),
        ([good(2**63)], "needs indices"),
        ([good(N)._replace(arrival=float("nan"))], "NaN"),
        (["x"], "AttributeError"),
        (5, "TypeError"),
    ],
)
def test_what_is_no_packet_ends_its_source_and_is_told(packets, said):
    found = run([good(0)], packets, [good(2 * N)])
    assert found["counts"]["samples"] == N
    assert re.search(said, found["sources"]["signal"]["failure"])
