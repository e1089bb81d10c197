"""BrainFlow: any board that BrainFlow knows, through its own library."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Event
from typing import Any, ClassVar, Literal

import numpy as np

from ranvier.acquire._source import Counters, Found, Mark, Packet, Source
from ranvier.acquire._units import entrance
from ranvier.acquire._unwrap import Unwrap
from ranvier.errors import ConfigError, DeviceError, MissingExtraError
from ranvier.stream import Channels, StreamInfo

COUNTERS = {  # of boards whose counter is known: how many numbers it has, and its step from sample to sample
    "SYNTHETIC": (256, 1), "CYTON": (256, 1), "CYTON_DAISY": (256, 2), "CYTON_WIFI": (256, 1),
    "FREEEEG32": (256, 1),
}  # fmt: skip
MORE = {"accel_channels": ("accel", "motion", "g"), "gyro_channels": ("gyro", "motion", "1"),
        "analog_channels": ("analog", "misc", "1")}  # fmt: skip
LOOK = 0.004  # [s] between two looks: BrainFlow has no way to wait


@dataclass(eq=False)
class BrainFlow(Source):
    """A board through BrainFlow: float64, in the units that BrainFlow gives (uV for potentials).

    Parameters
    ----------
    board
        Name or number of the board: ``synthetic``, ``ganglion``, ``muse_2``, ``-1`` ... See `BrainFlow.boards`.
    serial_port, mac_address, ip_address, ip_port, serial_number, file, other_info, wait
        As the board wants them (`wait` is BrainFlow's timeout [s]); see BrainFlow's list of supported boards.
    master_board
        Whose file it is, for ``playback_file``.
    rows
        ``exg`` for its potentials; ``all`` with accelerometer, gyroscope and analog rows.
    counter, step
        How many numbers the board's counter has, and by how much it grows from sample to sample. Known boards need
        neither; of others samples are only counted, and no loss is found.
    silence
        After how long without samples the board counts as gone [s].

    Notes
    -----
    The index is the row of package numbers, unwrapped; the device's time is BrainFlow's time stamp (host, time.time,
    when its driver had the sample). Markers put in by ``insert_marker`` are marks. BrainFlow decodes and scales: what
    it has mended or left out cannot be seen here; for an OpenBCI Cyton prefer `Cyton`. Needs the extra ``brainflow``;
    on Python 3.11 also setuptools below 80 (BrainFlow imports pkg_resources).
    """

    board: str
    serial_port: str = ""
    mac_address: str = ""
    ip_address: str = ""
    ip_port: int = 0
    serial_number: str = ""
    file: str = ""
    other_info: str = ""
    wait: int = 0
    master_board: str = ""
    rows: Literal["exg", "all"] = "exg"
    counter: int = 0
    step: int = 1
    silence: float = 5.0

    scheme: ClassVar[str] = "brainflow"

    _shim: Any = field(default=None, init=False, repr=False)
    _unwrap: Unwrap | None = field(default=None, init=False, repr=False)
    _found: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.counter < 0 or self.step < 1 or not self.silence > 0:
            raise ConfigError(
                f"BrainFlow needs counter >= 0, step >= 1 and silence > 0 s; got {self.counter}, {self.step} and "
                f"{self.silence:g}. Leave them out if in doubt."
            )

    @classmethod
    def nearby(cls, timeout: float) -> list[Found]:
        need_brainflow()  # finds none by itself: what it always has is the board that it makes up
        return [Found("brainflow:synthetic", "synthetic", f"made up by BrainFlow; it knows {len(cls.boards())} boards")]

    @staticmethod
    def boards() -> dict[str, int]:
        """Return every board that the installed BrainFlow knows, name -> number."""
        ids = need_brainflow().BoardIds
        return {b.name.removesuffix("_BOARD").lower(): b.value for b in ids if b.name != "NO_BOARD"}

    @property
    def settings(self) -> dict[str, str]:
        return dict(self._found)

    def _number(self, board: str) -> int:
        known = self.boards()
        with suppress(ValueError):
            if int(board) in known.values():
                return int(board)
        name = board.strip().lower().removesuffix("_board")
        if name not in known:
            raise ConfigError(f"BrainFlow needs a board that it knows: {', '.join(known)}; got {board!r}. Name one.")
        return known[name]

    # life ---------------------------------------------------------------------------------------
    def _open(self) -> None:
        flow = need_brainflow()
        given = flow.BrainFlowInputParams()
        for name in ("serial_port", "mac_address", "ip_address", "ip_port", "serial_number", "file", "other_info"):
            setattr(given, name, getattr(self, name))
        given.timeout = self.wait
        if self.master_board:
            given.master_board = self._number(self.master_board)
        flow.BoardShim.set_log_level(flow.LogLevels.LEVEL_ERROR.value)
        self._shim = flow.BoardShim(self._number(self.board), given)
        try:
            self._shim.prepare_session()
            self._describe(flow.BoardShim, self._shim.get_board_id())
        except flow.BrainFlowError as e:
            raise DeviceError(
                f"BrainFlow cannot reach {self.board!r}: {e}. Check its cable, port or address, and that nothing else "
                "uses it."
            ) from e
        self._counters = Counters()

    def _describe(self, shim: Any, board: int) -> None:
        said = shim.get_board_descr(board)
        rows = list(shim.get_exg_channels(board))
        names = said.get("eeg_names", "").split(",") if "eeg_names" in said else []
        names = names if len(names) == len(rows) else [f"ch{i:03d}" for i in range(len(rows))]
        kinds = [
            next((k for k in ("eeg", "emg", "ecg", "eog") if r in said.get(f"{k}_channels", ())), "eeg") for r in rows
        ]
        units = ["uV"] * len(rows)
        for key, (name, kind, unit) in MORE.items() if self.rows == "all" else ():
            more = said.get(key, [])
            rows, units, kinds = rows + more, units + [unit] * len(more), kinds + [kind] * len(more)
            names = names + [f"{name} {i}" for i in range(len(more))]
        channels, rate = Channels.of(names, kinds, units), said["sampling_rate"]
        self._rows = {"data": rows, "number": said["package_num_channel"], "time": said["timestamp_channel"],
                      "marker": said.get("marker_channel", -1)}  # fmt: skip
        self._info = StreamInfo.signal(rate, channels, name=said["name"], dtype="float64")
        self._entrance = entrance(channels, [1.0] * len(rows), units, None, 1.0)
        title = {v: k for k, v in self.boards().items()}.get(board, "").upper()
        modulus, step = (self.counter, self.step) if self.counter else COUNTERS.get(title, (0, 1))
        if self._unwrap is None:
            self._unwrap = Unwrap(modulus, step, float(rate))
        counter = f"0 to {modulus - 1} by {step}" if modulus else "none known: samples are counted"
        self._found = {"board": said["name"], "brainflow": shim.get_version(), "counter": counter}

    def _start(self) -> None:
        if self._unwrap is not None:
            self._unwrap.resume()
        self._waiting = Event()
        self._heard = self._clock()
        try:
            self._shim.start_stream()
        except need_brainflow().BrainFlowError as e:
            raise self._gone(e) from e

    def _stop(self) -> None:
        if self._shim is not None:
            self._waiting.set()
            with suppress(need_brainflow().BrainFlowError):
                self._shim.stop_stream()

    def _close(self) -> None:
        shim, self._shim = self._shim, None
        if shim is not None:
            with suppress(need_brainflow().BrainFlowError):
                shim.release_session()

    # samples ------------------------------------------------------------------------------------
    def _read(self, timeout: float) -> list[Packet | Mark]:
        shim, unwrap = self._shim, self._unwrap
        if shim is None or unwrap is None:
            return []
        try:
            for _ in range(max(1, round(timeout / LOOK))):
                if shim.get_board_data_count() or self._waiting.wait(LOOK if timeout else 0):
                    break
            table = shim.get_board_data()
        except need_brainflow().BrainFlowError as e:
            if self._phase != "running":
                return []
            raise self._gone(e) from e
        now = self._clock()
        if not table.shape[1]:
            if now - self._heard > self.silence * 1e9:
                raise self._gone(TimeoutError(f"no sample for {self.silence:g} s"))
            return []
        self._heard = now
        self._counters.packets += 1
        return self._packets(table, unwrap, now)

    def _packets(self, table: Any, unwrap: Unwrap, now: int) -> list[Packet | Mark]:
        times, n = table[self._rows["time"]], table.shape[1]
        host = now * 1e-9 - np.arange(n - 1, -1, -1) / unwrap.rate  # never BrainFlow's time: a clock may be set
        index, kept = unwrap.take(table[self._rows["number"]], host, self._counters)
        data, times = np.ascontiguousarray(table[self._rows["data"]].T[kept]), times[kept]
        cuts = [0, *(np.flatnonzero(np.diff(index) != 1) + 1).tolist(), len(index)]
        out: list[Packet | Mark] = [
            Packet(data[a:b], int(index[a]), now, float(times[a])) for a, b in pairwise(cuts) if b > a
        ]
        if self._rows["marker"] >= 0:
            markers = table[self._rows["marker"]][kept]
            out += [Mark(float(index[k]), f"{markers[k]:g}", float(markers[k]), now) for k in np.flatnonzero(markers)]
        return out

    def _gone(self, e: Exception) -> DeviceError:
        return DeviceError(
            f"BrainFlow's {self.board!r} is gone: {e}. Check the board and its cable, then close, open and start it "
            "again."
        )


def need_brainflow() -> Any:
    """Return the module brainflow.board_shim with all that is needed of it."""
    try:
        from brainflow import board_shim
    except ImportError as e:  # of brainflow, or of pkg_resources by it
        what = "brainflow" if "brainflow" in str(e) else f"brainflow ({e}; install 'setuptools<80')"
        raise MissingExtraError("BrainFlow", what, "brainflow") from e
    return board_shim
