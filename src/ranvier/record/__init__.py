"""What remains: recordings of many formats, opened lazily, in uV, with their events and gaps as the file has them."""

from ranvier.record._array import ArrayRecording, from_array
from ranvier.record._base import BaseRecording, Mark, Segment
from ranvier.record._export import Exported, export
from ranvier.record._faults import Finding, faults
from ranvier.record._format import Format
from ranvier.record._open import formats, open, streams
from ranvier.record._rvr_head import Stored
from ranvier.record._rvr_health import Durable, Health
from ranvier.record._rvr_log import Note
from ranvier.record._rvr_verify import Report, verify
from ranvier.record._rvr_writer import Writer
from ranvier.record._streams import StreamEntry

__all__ = [
    "ArrayRecording",
    "BaseRecording",
    "Durable",
    "Exported",
    "Finding",
    "Format",
    "Health",
    "Mark",
    "Note",
    "Report",
    "Segment",
    "StreamEntry",
    "Stored",
    "Writer",
    "export",
    "faults",
    "formats",
    "from_array",
    "open",
    "streams",
    "verify",
]
