"""Cleaning: what is wrong with a recording, which stages that justifies, and what they do to it."""

from ranvier.evaluate.cleaning._clean import Done, clean
from ranvier.evaluate.cleaning._cleaned import Cleaned
from ranvier.evaluate.cleaning._draft import Declined, Proposed
from ranvier.evaluate.cleaning._findings import Finding
from ranvier.evaluate.cleaning._recommend import Recommendation, recommend
from ranvier.evaluate.cleaning._report import report

__all__ = ["Cleaned", "Declined", "Done", "Finding", "Proposed", "Recommendation", "clean", "recommend", "report"]
