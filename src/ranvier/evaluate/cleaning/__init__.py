"""Cleaning: what is wrong with a recording, which stages that justifies, and what they do to it."""

from ranvier.evaluate.cleaning._findings import Finding
from ranvier.evaluate.cleaning._propose import Declined, Proposed
from ranvier.evaluate.cleaning._recommend import Recommendation, recommend

__all__ = ["Declined", "Finding", "Proposed", "Recommendation", "recommend"]
