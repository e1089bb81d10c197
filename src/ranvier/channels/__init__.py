"""Which electrode is which, and which to trust: pick, place, scale, deskew, judge, reference, interpolate."""

from ranvier.channels._bad_channels import BadChannels, ChannelVerdicts
from ranvier.channels._deskew import Deskew
from ranvier.channels._interpolate import Interpolate
from ranvier.channels._local import Laplacian, LocalReference
from ranvier.channels._montage import Montage
from ranvier.channels._pick import Pick
from ranvier.channels._reference import CommonReference
from ranvier.channels._reref import Reref
from ranvier.channels._robust import RobustReference
from ranvier.channels._scale import Scale

__all__ = [
    "BadChannels",
    "ChannelVerdicts",
    "CommonReference",
    "Deskew",
    "Interpolate",
    "Laplacian",
    "LocalReference",
    "Montage",
    "Pick",
    "Reref",
    "RobustReference",
    "Scale",
]
