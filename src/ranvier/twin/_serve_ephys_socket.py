"""EphysSocketServer: a recording sent as Bonsai sends matrices to the Ephys Socket plugin of Open Ephys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from ranvier.acquire._ephys_socket_codec import HEADER
from ranvier.errors import ContractError
from ranvier.stream import Block
from ranvier.twin._ports import Port
from ranvier.twin._server import DeviceServer


@final
@dataclass(eq=False)
class EphysSocketServer(DeviceServer):
    """A recording sent as Bonsai sends matrices to the Ephys Socket plugin of Open Ephys.

    Parameters
    ----------
    port
        Where clients connect; 0 for any that is free.
    gain
        One step [uV]; the number 32768 stands for 0 uV.

    Notes
    -----
    Sends uint16 from the first sample on as soon as somebody connects. The protocol has no count and no events: a gap
    of the recording is not seen by the client.

    References
    ----------
    Open Ephys GUI documentation, Ephys Socket (open-ephys.github.io/gui-docs).
    """

    port: int = 9001
    gain: float = 0.195

    protocol: ClassVar[str] = "ephyssocket"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.gain > 0:
            raise ContractError(f"EphysSocketServer needs gain > 0 uV; got {self.gain:g}. Take 0.195.")
        self._port: Port | None = None

    @property
    def where(self) -> str:
        return f"127.0.0.1?port={self.port}&rate={float(self.info.rate):g}"

    def _open(self) -> None:
        super()._open()
        self._port = Port(self.port, "EphysSocketServer")
        self.port = self._port.number

    def _close(self) -> None:
        if self._port is not None:
            self._port.close()
        self._port = None
        super()._close()

    def _listen(self) -> None:
        if self._port is None:
            return
        self._port.take()
        if self._port.connected and not self.streaming and not self.ended:
            self.begin()
        elif self.streaming and not self._port.connected:
            self.halt()

    def _send(self, block: Block) -> None:
        if self._port is None:
            return
        counts = np.clip(np.rint(block.data.T / self.gain) + 32768, 0, 65535).astype("<u2")
        n, samples = counts.shape
        self._port.send(HEADER.pack(0, counts.nbytes, 2, 2, n, samples) + counts.tobytes())
