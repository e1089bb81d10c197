"""Intention -> world: commands, the guard that alone approves them, and what they drive."""

from ranvier.act._actuator import Actuator
from ranvier.act._command import Approved, Command, Commands, Refused
from ranvier.act._guard import Guard, Limits
from ranvier.act._log import Log
from ranvier.act._map import Map
from ranvier.act._udp import UDP

__all__ = ["Actuator", "Approved", "Command", "Commands", "Guard", "Limits", "Log", "Map", "Refused", "UDP"]
