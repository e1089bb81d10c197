"""Intention -> world: commands, the guard that alone approves them, and what they drive."""

__all__: list[str] = []
