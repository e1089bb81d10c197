"""Intention -> world: commands, the guard that alone approves them, and what they drive."""

from ranvier.act._actuator import Actuator
from ranvier.act._command import Approved, Command, Commands, Refused, note
from ranvier.act._cursor import Cursor
from ranvier.act._guard import Guard, Limits
from ranvier.act._log import Log
from ranvier.act._lsl import LSLMarkers
from ranvier.act._map import Map
from ranvier.act._receiver import Receiver
from ranvier.act._registry import actuator, actuators, guard_from, guard_table
from ranvier.act._serial import Serial
from ranvier.act._udp import UDP
from ranvier.act._watchdog import Watchdog

__all__ = [
    "Actuator", "Approved", "Command", "Commands", "Cursor", "Guard", "LSLMarkers", "Limits", "Log", "Map", "Receiver",
    "Refused", "Serial", "UDP", "Watchdog", "actuator", "actuators", "guard_from",
    "guard_table", "note",
]  # fmt: skip
