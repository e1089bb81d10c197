"""A guard written the long way: exact fractions, one list of rules in words, no state but what was approved."""

from fractions import Fraction
from math import isfinite

SECOND = 10**9


class SlowGuard:
    def __init__(self, limits, max_age, min_confidence):
        self.limits, self.max_age, self.min_confidence = limits, max_age, min_confidence
        self.history = []  # (names, units, values given, when, sequence), everything that was approved
        self.fresh_from = 0  # rates are measured against what was approved from there on
        self.stopped = False

    def reset(self):
        self.stopped = False
        self.fresh_from = len(self.history)

    def approve(self, c, now):
        """Return (None, values) or (reason, None)."""
        if self.stopped:
            return "stopped", None
        if len(c.names) != len(c.units):
            return "shape", None
        have = dict(zip(c.names, c.units, strict=True))
        if any(have.get(limit.name) != limit.unit for limit in self.limits):
            return "unit", None
        if len(c.values) != len(c.names):
            return "shape", None
        if not all(isfinite(v) for v in c.values):
            return "nan", None
        if self.history and c.sequence <= max(sequence for *_, sequence in self.history):
            return "sequence", None
        if now < c.made or any(now < when for *_, when, _ in self.history):
            return "clock", None
        if now >= c.expires:
            return "expired", None
        age = c.age + (now - c.made) * 1e-9
        if not isfinite(c.age) or c.age < 0 or (self.max_age is not None and age > self.max_age):
            return "age", None
        if self.min_confidence is not None and (c.confidence != c.confidence or c.confidence < self.min_confidence):
            return "confidence", None
        return self.limit(c, now)

    def limit(self, c, now):
        values = dict(zip(c.names, c.values, strict=True))
        for limit in self.limits:
            wanted = Fraction(values[limit.name])
            allowed, reason = self.allowed(limit, c, now), "range"
            if limit.low <= values[limit.name] <= limit.high:
                reason = "rate"
            nearest = min(max(wanted, allowed[0]), allowed[1])
            if nearest != wanted:
                if limit.beyond == "refuse":
                    return reason, None
                values[limit.name] = nearest
        given = tuple(float(values[n]) for n in c.names)
        self.history.append((c.names, c.units, given, now, c.sequence))
        return None, given

    def allowed(self, limit, c, now):
        far = Fraction(10) ** 400
        low, high = (far * (1 if v > 0 else -1) if abs(v) == float("inf") else Fraction(v)
                     for v in (limit.low, limit.high))  # fmt: skip
        recent = self.history[self.fresh_from :]
        if recent and isfinite(limit.rate) and recent[-1][:2] == (c.names, c.units):
            names, _, given, when, _ = recent[-1]
            before = Fraction(given[names.index(limit.name)])
            reach = Fraction(limit.rate) * Fraction(now - when, SECOND)
            low, high = max(low, before - reach), min(high, before + reach)
        return low, high
