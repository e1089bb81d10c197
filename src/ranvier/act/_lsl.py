"""LSLMarkers: commands as markers of the Lab Streaming Layer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from ranvier.act._actuator import Actuator
from ranvier.act._command import Approved
from ranvier.errors import MissingExtraError


@dataclass(eq=False)
class LSLMarkers(Actuator):
    """Offer each command as a marker of an LSL stream, for other programs and for LabRecorder.

    Parameters
    ----------
    name
        Of the stream; its type is ``Markers``.
    source_id
        By which a receiver finds it again after a restart.

    Notes
    -----
    Needs pylsl (``pip install 'ranvier[act]'``). A marker is text: ``{"sequence": 7, "values": {"vx": 1.5}}``; the safe
    state is ``{"safe": true}``. LSL sends to everybody on the network who asks.
    """

    scheme: ClassVar[str] = "lsl"

    name: str = "ranvier"
    source_id: str = "ranvier-act"

    def __post_init__(self) -> None:
        self._outlet: Any = None

    def _open(self) -> None:
        try:
            import pylsl  # type: ignore[import-untyped]
        except (ImportError, RuntimeError) as e:  # RuntimeError: pylsl without its library
            raise MissingExtraError("LSLMarkers", "pylsl", "act") from e
        info = pylsl.StreamInfo(self.name, "Markers", 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, self.source_id)
        self._outlet = pylsl.StreamOutlet(info)

    def _start(self) -> None:
        """An outlet is there once it is open."""

    def _send(self, approved: Approved) -> bool:
        c = approved.command
        self._push({"sequence": c.sequence, "values": dict(zip(c.names, approved.given, strict=True))})
        return True

    def _push(self, what: dict[str, Any]) -> None:
        self._outlet.push_sample([json.dumps(what)])

    def _stop(self) -> None:
        self._push({"safe": True})

    def _close(self) -> None:
        self._outlet = None
