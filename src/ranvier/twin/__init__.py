"""Brains and people that never were: simulated subjects to try a system on."""

from ranvier.twin._cues import Cue, cued
from ranvier.twin._person import Person
from ranvier.twin._subject import SimulatedSubject

__all__ = ["Cue", "Person", "SimulatedSubject", "cued"]
