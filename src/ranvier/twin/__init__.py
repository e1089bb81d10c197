"""Brains and people that never were, and devices that serve recordings: what to try a system on."""

from ranvier.twin._cues import Cue, cued
from ranvier.twin._person import Person
from ranvier.twin._serve_cyton import CytonServer
from ranvier.twin._serve_ephys_socket import EphysSocketServer
from ranvier.twin._serve_lsl import LSLServer
from ranvier.twin._serve_openephys import OpenEphysServer
from ranvier.twin._serve_rhx import RhxServer
from ranvier.twin._server import DeviceServer, servers
from ranvier.twin._subject import SimulatedSubject

__all__ = [
    "Cue",
    "CytonServer",
    "DeviceServer",
    "EphysSocketServer",
    "LSLServer",
    "OpenEphysServer",
    "Person",
    "RhxServer",
    "SimulatedSubject",
    "cued",
    "servers",
]
