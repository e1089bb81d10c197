"""Electrodes -> chunks: sources, their codecs and counters, clocks."""

from ranvier.acquire._brainflow import BrainFlow
from ranvier.acquire._clock import ClockFitter, clock_control, clock_fit
from ranvier.acquire._cyton import NAMES as CYTON_NAMES
from ranvier.acquire._cyton import Cyton
from ranvier.acquire._cyton import volts as cyton_gain
from ranvier.acquire._cyton_codec import CytonCodec
from ranvier.acquire._ephys_socket import EphysSocket
from ranvier.acquire._ephys_socket_codec import EphysSocketCodec
from ranvier.acquire._landing import Landed, Landing, Sender
from ranvier.acquire._lsl import LSL, LslCounter
from ranvier.acquire._marker import Marker, MarkerSource, marker_source
from ranvier.acquire._markers_keyboard import Keyboard
from ranvier.acquire._markers_lsl import LSLMarkers
from ranvier.acquire._markers_udp import UDPMarkers
from ranvier.acquire._openephys import OpenEphys
from ranvier.acquire._openephys_codec import OpenEphysCodec
from ranvier.acquire._registry import register, schemes, source, sources
from ranvier.acquire._rhx import IntanRHX
from ranvier.acquire._rhx_codec import RhxCodec
from ranvier.acquire._source import Counters, Found, Mark, Packet, Source
from ranvier.acquire._trigger_edges import TriggerEdges

__all__ = [
    "BrainFlow",
    "CYTON_NAMES",
    "ClockFitter",
    "Counters",
    "Cyton",
    "CytonCodec",
    "EphysSocket",
    "EphysSocketCodec",
    "Found",
    "IntanRHX",
    "Keyboard",
    "LSL",
    "LSLMarkers",
    "Landed",
    "Landing",
    "LslCounter",
    "Mark",
    "Marker",
    "MarkerSource",
    "OpenEphys",
    "OpenEphysCodec",
    "Packet",
    "RhxCodec",
    "Sender",
    "Source",
    "TriggerEdges",
    "UDPMarkers",
    "clock_control",
    "clock_fit",
    "cyton_gain",
    "marker_source",
    "register",
    "schemes",
    "source",
    "sources",
]
