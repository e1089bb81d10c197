"""RhxServer: a recording behind the TCP ports of Intan RHX."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from ranvier.acquire._rhx_codec import FRAMES, MIDDLE, WRAP, encode_block
from ranvier.errors import ContractError
from ranvier.stream import Array, Block
from ranvier.twin._ports import Port, two_ports
from ranvier.twin._server import DeviceServer

AMPLIFIER = 0.195  # [uV] one step
ANALOG = 312.5  # [uV]
PORTS, PER_PORT, INPUTS = "ABCDEFGH", 128, 8
SETTINGS = {  # what else can be set and got; nothing depends on it here
    "TCPWaveformDataOutputHost": "127.0.0.1",
    "TCPNumberDataBlocksPerWrite": "1",
    "DesiredLowerBandwidthHertz": "0.1",
    "DesiredUpperBandwidthHertz": "7500",
    "NotchFilterFreqHertz": "None",
}
SWITCH = re.compile(r"(.+)\.tcpdataoutputenabled(low|high|)")


@final
@dataclass(eq=False)
class RhxServer(DeviceServer):
    """A recording behind the TCP ports of Intan RHX: commands and waveforms.

    Parameters
    ----------
    port
        Command port; waveforms leave at the port behind it. 0 for any two that are free.
    drop, corrupt
        Share of the blocks that are left out, or lose their magic number.
    seed
        Of which ones.

    Notes
    -----
    Channels are the amplifiers ``A-000`` to ``H-127``, in steps of 0.195 uV; those of the kinds misc and motion are
    ``ANALOG-IN-1`` to ``-8`` in 312.5 uV; a trigger channel is the word of the digital inputs. Where there is none,
    each label of the recorded events has a line, which is on for 5 ms. Low and high band carry the same as the wide
    one. At first no channel is switched on, as in RHX; ``run`` begins at the first sample and at timestamp 0. Only
    whole blocks of 128 samples are sent; a gap ends one.

    References
    ----------
    Intan Technologies, RHX TCP control, and its example clients (intantech.com/RHX_software.html).
    """

    port: int = 5000
    drop: float = 0.0
    corrupt: float = 0.0
    seed: int = 0

    protocol: ClassVar[str] = "rhx"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._commands: Port | None = None
        self._waveforms: Port | None = None
        self._on: set[tuple[str, str]] = set()
        self._settings = dict(SETTINGS)
        self._chance = np.random.default_rng(self.seed)
        self._kept: list[Array] = []  # frames of a block that is not yet whole
        self._next = 0
        self._layout: tuple[list[int], Array, bool] = ([], np.zeros(0), False)
        self._cutting = False

    @property
    def where(self) -> str:
        return f"127.0.0.1?port={self.port}"

    @property
    def names(self) -> dict[str, int]:
        """Native names, and which channel of the recording each is; -1 for lines that events make."""
        return self._names

    def cut(self) -> None:
        """Pull the cable: both clients are let go; the device runs on."""
        self._cutting = True  # done by the thread that owns the ports

    # life ---------------------------------------------------------------------------------------
    def _open(self) -> None:
        super()._open()
        self._names = self._native()
        self._on.clear()
        self._commands, self._waveforms = two_ports(self.port, "RhxServer")
        self.port = self._commands.number

    def _close(self) -> None:
        for port in (self._commands, self._waveforms):
            if port is not None:
                port.close()
        self._commands = self._waveforms = None
        super()._close()

    def _native(self) -> dict[str, int]:
        channels = self.info.channels
        kinds = channels.kinds
        amplifiers = [i for i, k in enumerate(kinds) if k not in ("misc", "motion", "trigger")]
        inputs = [i for i, k in enumerate(kinds) if k in ("misc", "motion")]
        odd = next((channels.units[i] for i in amplifiers if channels.units[i] != "uV"), None)
        if odd is not None or len(amplifiers) > PER_PORT * len(PORTS) or len(inputs) > INPUTS:
            raise ContractError(
                f"RhxServer needs at most 1024 channels in uV and {INPUTS} of the kind misc; got {len(amplifiers)} in "
                f"{odd or 'uV'} and {len(inputs)}. Pick some of them, or put Scale before."
            )
        names = {f"{PORTS[k // PER_PORT]}-{k % PER_PORT:03d}": i for k, i in enumerate(amplifiers)}
        names |= {f"ANALOG-IN-{k + 1}": i for k, i in enumerate(inputs)}
        trigger = next((i for i, k in enumerate(kinds) if k == "trigger"), -1)
        return names | {f"DIGITAL-IN-{k + 1:02d}": trigger for k in range(16)}

    # commands -----------------------------------------------------------------------------------
    def _listen(self) -> None:
        if self._commands is None or self._waveforms is None:
            return
        if self._cutting:
            self._cutting = False
            self._commands.cut()
            self._waveforms.cut()
        self._waveforms.take()
        while text := self._commands.take():
            for command in re.split(r"[;\n]", text.decode("ascii", "replace")):
                if command.strip():
                    self._commands.send(self.answer(command).encode())
            if not self.streaming:
                self._commands.wait(0.002)  # commands come in rows, each after the answer to the one before

    def answer(self, command: str) -> str:
        """Return what RHX says to one command; nothing where it does what it is told."""
        word, _, rest = command.strip().partition(" ")
        name, _, value = rest.strip().partition(" ")
        if word.lower() == "get" and name:
            got = self._get(name)
            return f"Error: no such parameter: {name}" if got is None else f"Return: {got[0]} {got[1]}"
        if word.lower() == "set" and name and value:
            return "" if self._set(name.lower(), value.strip().lower()) else f"Error: {name} cannot be set to {value}"
        if word.lower() == "execute" and name.lower() == "clearalldataoutputs" and not self.streaming:
            self._on.clear()
            return ""
        if word.lower() == "execute" and name.lower() == "connecttcpwaveformdataoutput":
            return ""
        return f"Error: cannot {command.strip()[:80]}"

    def _get(self, name: str) -> tuple[str, str] | None:
        rate = self.info.rate
        known = {
            "RunMode": "Run" if self.streaming else "Stop",
            "SampleRateHertz": str(rate) if rate.denominator == 1 else repr(float(rate)),
            "Type": "ControllerRecordUSB3",
            "TCPWaveformDataOutputPort": str(self.port + 1),
            **self._settings,
        }
        for key, value in known.items():
            if key.lower() == name.lower():
                return key, value
        switch = SWITCH.fullmatch(name.lower())
        if switch is None or switch[1].upper() not in self._names:
            return None
        on = (switch[1].upper(), switch[2]) in self._on
        return f"{switch[1].upper()}.TCPDataOutputEnabled{switch[2].title()}", str(on)

    def _set(self, name: str, value: str) -> bool:
        if name == "runmode" and value in ("run", "stop"):
            if value == "stop":
                self.halt()
            elif not self.streaming:
                self._kept, self._next, self._layout = [], 0, self._order()
                self.begin()
            return True
        key = next((k for k in self._settings if k.lower() == name), None)
        if key is not None:
            self._settings[key] = value
            return True
        if name == "tcpwaveformdataoutputport":
            return value == str(self.port + 1)
        switch = SWITCH.fullmatch(name)
        if switch is None or switch[1].upper() not in self._names or value not in ("true", "false") or self.streaming:
            return False
        (self._on.add if value == "true" else self._on.discard)((switch[1].upper(), switch[2]))
        return True

    # samples ------------------------------------------------------------------------------------
    def _send(self, block: Block) -> None:
        if block.start != self._next:
            self._kept = []
        words = np.concatenate([*self._kept, self._words(block)])
        start, self._next = block.start + block.n - len(words), block.start + block.n
        whole = len(words) // FRAMES * FRAMES
        self._kept = [words[whole:]]
        for k in range(0, whole, FRAMES):
            data = encode_block((start + k) % WRAP, words[k : k + FRAMES])
            lost, bad = self._chance.random(2) < (self.drop, self.corrupt)
            if self._waveforms is not None and not lost:
                self._waveforms.send(data if not bad else bytes(4) + data[4:])

    def _order(self) -> tuple[list[int], Array, bool]:
        """Return which channel each word is, its step [uV], and whether a word of the digital inputs follows."""
        names = [n for n in self._names if not n.startswith("DIGITAL")]
        sent = [name for name in names for band in ("", "low", "high") if (name, band) in self._on]
        steps = np.array([ANALOG if name.startswith("ANALOG") else AMPLIFIER for name in sent])
        return [self._names[name] for name in sent], steps, any(n.startswith("DIGITAL") for n, _ in self._on)

    def _words(self, block: Block) -> Array:
        """Return the words of the frames, in the order in which RHX sends them."""
        index, steps, digital = self._layout
        counts = block.data[:, index] / steps
        np.rint(counts, out=counts)
        counts += MIDDLE
        words: Array = np.clip(counts, 0, 2 * MIDDLE - 1, out=counts).astype(np.uint16)
        if not digital:
            return words
        trigger = self._names["DIGITAL-IN-01"]
        lines = self._lines(block) if trigger < 0 else np.rint(block.data[:, trigger]).astype(np.int64) & 0xFFFF
        both: Array = np.c_[words, lines.astype(np.uint16)]
        return both

    def _lines(self, block: Block) -> Array:
        """Return a line for each label of the recorded events, on for 5 ms."""
        width = max(1, round(0.005 * self.info.rate))
        first = max(0, block.start - width + 1)
        labels = sorted(set(self.feed.event_info.labels.values())) if hasattr(self.feed, "event_info") else []
        out: Array = np.zeros(block.n, np.int64)
        for sample, label, _ in self.events_between(first, block.start + block.n):
            a = sample - block.start
            out[max(a, 0) : max(a + width, 0)] |= 1 << labels.index(label) % 16
        return out
