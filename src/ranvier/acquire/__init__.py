"""Electrodes -> chunks: sources, their codecs and counters, clocks."""

from ranvier.acquire._clock import ClockFitter, clock_control, clock_fit
from ranvier.acquire._registry import register, schemes, source
from ranvier.acquire._rhx import IntanRHX
from ranvier.acquire._rhx_codec import RhxCodec
from ranvier.acquire._source import Counters, Mark, Packet, Source

__all__ = [
    "ClockFitter",
    "Counters",
    "IntanRHX",
    "Mark",
    "Packet",
    "RhxCodec",
    "Source",
    "clock_control",
    "clock_fit",
    "register",
    "schemes",
    "source",
]
