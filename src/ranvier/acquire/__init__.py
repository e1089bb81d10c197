"""Electrodes -> chunks: sources, their codecs and counters, clocks."""

from ranvier.acquire._registry import register, schemes, source
from ranvier.acquire._source import Counters, Mark, Packet, Source

__all__ = ["Counters", "Mark", "Packet", "Source", "register", "schemes", "source"]
