"""Electrodes -> chunks: sources, their codecs and counters, clocks."""

from ranvier.acquire._clock import ClockFitter, clock_control, clock_fit
from ranvier.acquire._registry import register, schemes, source
from ranvier.acquire._source import Counters, Mark, Packet, Source

__all__ = [
    "ClockFitter",
    "Counters",
    "Mark",
    "Packet",
    "Source",
    "clock_control",
    "clock_fit",
    "register",
    "schemes",
    "source",
]
