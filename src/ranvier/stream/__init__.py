"""What flows: streams, channels, blocks, events, trials, controls, clocks, recordings."""

from ranvier.stream._block import Array, Block, Mask, all_valid, concatenate, is_all_valid
from ranvier.stream._channels import Channels
from ranvier.stream._clock import Clock, ClockFit
from ranvier.stream._control import Control
from ranvier.stream._device import Device, HostClock
from ranvier.stream._events import EVENT, Chunk, Events, codes_of, merge_events
from ranvier.stream._info import EventInfo, Info, Origin, StreamInfo
from ranvier.stream._recording import Entities, Recording
from ranvier.stream._table import DTYPES, info_from_table, info_to_table
from ranvier.stream._trials import Targets, Trials

__all__ = [
    "DTYPES",
    "EVENT",
    "Array",
    "Block",
    "Channels",
    "Chunk",
    "Clock",
    "ClockFit",
    "Control",
    "Device",
    "Entities",
    "EventInfo",
    "Events",
    "HostClock",
    "Info",
    "Mask",
    "Origin",
    "Recording",
    "StreamInfo",
    "Targets",
    "Trials",
    "all_valid",
    "codes_of",
    "concatenate",
    "info_from_table",
    "info_to_table",
    "is_all_valid",
    "merge_events",
]
