"""check_source and check_codec find what is broken: each broken source fails for its own reason."""

import dataclasses
import threading
import time

import numpy as np
import pytest

from ranvier.acquire import Counters, CytonCodec, Packet, RhxCodec, Source
from ranvier.acquire._rhx_codec import MAGIC, block_dtype
from ranvier.denoise import Integrity
from ranvier.errors import DeviceError
from ranvier.stream import StreamInfo
from ranvier.testing import ConformanceError, check_codec, check_source
from tests.acquire.cyton_bytes import stream


@dataclasses.dataclass(eq=False)
class Steady(Source):
    """Ten samples at each look, at once; the device behind it may be taken away."""

    device: list

    def _open(self):
        if not self.device[0]:
            raise DeviceError("no device")
        self._info, self._entrance, self._counters = StreamInfo.signal(250, 2), Integrity(), Counters()

    def _start(self):
        self._next = getattr(self, "_next", 0)

    def _stop(self):
        pass

    def _close(self):
        pass

    def _read(self, timeout):
        if not self.device[0]:
            raise DeviceError("gone")
        time.sleep(min(timeout, 0.002))
        start, self._next = self._next, self._next + 10
        self._counters.samples += 10
        return [Packet(np.zeros((10, 2), "f4"), start, self._clock())]


class FromZeroAgain(Steady):
    def _start(self):
        self._next = 0


class OtherDtype(Steady):
    def _read(self, timeout):
        return [p._replace(samples=p.samples.astype("f8")) for p in super()._read(timeout)]


class OwnClock(Steady):
    def _read(self, timeout):
        return [p._replace(arrival=time.monotonic_ns()) for p in super()._read(timeout)]


class Uncounted(Steady):
    def _read(self, timeout):
        self._counters.samples -= 10
        return super()._read(timeout)


class KeepsCounters(Steady):
    def _open(self):
        kept = self._counters
        super()._open()
        self._counters = kept


class InventsLosses(Steady):
    def _read(self, timeout):
        self._counters.lost += 5
        return super()._read(timeout)


class Deaf(Steady):
    def _read(self, timeout):
        time.sleep(timeout + 0.7)
        return super()._read(timeout)


class LeavesThreads(Steady):
    def _start(self):
        super()._start()
        self._done = threading.Event()
        threading.Thread(target=self._done.wait, args=(3,), name="forgotten", daemon=True).start()


class Silent(Steady):
    def _read(self, timeout):
        time.sleep(timeout)
        return []


class OldDevice(Steady):
    """Says nothing where its device is gone."""

    def _read(self, timeout):
        return super()._read(timeout) if self.device[0] else []


def check(cls, **more):
    device = [True]
    check_source(lambda: cls(device), timeout=0.8, pull=lambda: device.__setitem__(0, False),
                 plug=lambda: device.__setitem__(0, True), **more)  # fmt: skip


def test_a_good_one_passes():
    check(Steady)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (FromZeroAgain, "a packet starts at 0; the one before ended at"),
        (OtherDtype, "a packet has .*float64"),
        (OwnClock, "is not of the clock that start was given"),
        (Uncounted, "counted fewer"),
        (KeepsCounters, "its counters are not 0"),
        (InventsLosses, "more lost samples than its index left out"),
        (Deaf, r"read\(0.1\) took"),
        (LeavesThreads, "leaves threads behind: forgotten"),
        (Silent, "fewer than 50 samples in 0.8 s"),
        (OldDevice, "read raised no DeviceError"),
    ],
)
def test_a_broken_one_fails(cls, message):
    with pytest.raises(ConformanceError, match=message):
        check(cls)


class Forgets(CytonCodec):
    """Throws away the unfinished packet at the end of each piece."""

    def feed(self, data, arrival=0):
        found = super().feed(data, arrival)
        self._rest = b""
        return found


def test_codecs_replay_recorded_bytes_for_any_cut():
    data, _ = stream([*range(40), 44, 45, 45, 47, 46, *range(48, 90)])
    check_codec(CytonCodec, data, cuts=[[33 * k + 5 for k in range(80)]])
    check_codec(lambda: CytonCodec(daisy=True), data)
    with pytest.raises(ConformanceError, match="pieces, it"):
        check_codec(Forgets, data)
    blocks = np.zeros(3, block_dtype(2))
    blocks["magic"], blocks["frames"]["time"] = MAGIC, np.arange(384).reshape(3, 128)
    check_codec(lambda: RhxCodec(2), b"noise" + blocks.tobytes())
