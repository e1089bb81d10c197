"""The house in motion: the shared rings in which threads and processes meet."""

from ranvier.session._reader import Reader
from ranvier.session._ring import Ring

__all__ = ["Reader", "Ring"]
