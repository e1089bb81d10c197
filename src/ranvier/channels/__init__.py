"""Which electrode is which: pick, scale, reference."""

from ranvier.channels._pick import Pick
from ranvier.channels._reference import CommonReference
from ranvier.channels._reref import Reref
from ranvier.channels._scale import Scale

__all__ = ["CommonReference", "Pick", "Reref", "Scale"]
