"""ClockFitter: from when packets came to when their samples were taken."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from typing import NamedTuple

from ranvier.errors import ConfigError, StateError
from ranvier.stream import Clock, ClockFit, Control

BINS = 8  # a second: of the packets in a bin the least late one counts
SETTLED = 1.0  # change of the line at which a new version is worth it [uncertainties]
RECENT, BENT = 16, 4.0  # newest bins that must all lie so much higher than the mean of the others for a new rate
LEAP = 1.0  # what no transport does to packets that come at their pace [s]


class _Point(NamedTuple):
    """The least late packet of a bin: when its samples should have come, and how much later they came [s]."""

    due: float
    late: float


class ClockFitter:
    """Fit a device's sample count to host time, from the arrival of every packet.

    Packets are late, never early. So the line lies below all of them, as near as it can: of each eighth of a second
    the least late packet counts; of these, the line below the newest that is nearest to them on
    average (the linear programme of Moon, Skelly and Towsley; the likeliest one where delays are exponential).

    Parameters
    ----------
    rate
        Nominal rate [Hz]: the first fit has it.
    latency
        From a sample's instant to its packet's arrival at the best of times, as calibrated [s].
    tolerance
        How far the true rate may lie from the nominal one, as a part of it.
    window
        How much of what came counts [s]; it reaches back three times as far where not all came.
    jitter
        Delays that are expected before any were seen [s].

    Notes
    -----
    The constant part of the latency cannot be seen from one end: times are late by it, unless `latency` says it. What
    `uncertainty` means is the rest: one standard deviation of the line, from how far the packets lie above it.

    What lies above the line by more than the rate's tolerance explains was held up, and tells nothing. After a stop of
    the process the packets that waited come in a burst and are passed over. Packets that stay late at their own
    pace for a second (where it is by more than 1 s) or for `window` (where it is by less) show that the host's clock
    was stepped: the fit begins anew with them. A step backwards shows at once, for then packets are early.

    Where the newest two seconds all lie far above the line, the rate has changed, and what was before is forgotten.

    A new fit is given out at a fixed sample count (every eighth of a second during the first, then every second) where
    it says something else than the last; it holds from the sample after the newest. The same calls give the same fits.

    References
    ----------
    Moon, Skelly, Towsley: Estimation and removal of clock skew from network delay measurements, INFOCOM 1999.
    """

    def __init__(
        self,
        rate: Fraction | float,
        *,
        latency: float = 0.0,
        tolerance: float = 0.01,
        window: float = 20.0,
        jitter: float = 0.01,
    ) -> None:
        if not (rate > 0 and 0 < tolerance < 0.5 and window >= 2 and jitter > 0 and latency >= 0):
            raise ConfigError(
                "ClockFitter needs rate > 0 Hz, 0 < tolerance < 0.5, window >= 2 s, jitter > 0 s and latency >= 0 s; "
                f"got {float(rate):g} Hz, {tolerance:g}, {window:g} s, {jitter:g} s, {latency:g} s. Correct them."
            )
        self._period = float(1 / rate)
        self._each = max(1, round(float(rate) / BINS))
        self._latency, self._tolerance, self._window, self._jitter = latency, tolerance, window, jitter
        self._clock: Clock | None = None
        self.restart()

    @property
    def clock(self) -> Clock:
        """All fits so far."""
        if self._clock is None:
            raise StateError("ClockFitter needs one packet before it has a clock. Feed it the first.")
        return self._clock

    def restart(self) -> None:
        """Forget the packets, as after the device was away: the next one begins a new line; fits given stay."""
        self._first, self._zero, self._newest = -1, 0, -1
        self._begin()

    def _begin(self) -> None:
        self._slope = 0.0
        self._line: list[_Point] = []  # no two differ by more than the tolerance explains
        self._held: list[_Point] = []  # the like, of packets that came later than that
        self._bins = 0
        self._empty_bin()
        self._early = float("inf")
        self._boundary = self._due = 0

    def _empty_bin(self) -> None:
        self._best, self._at = float("inf"), 0

    def feed(self, stop: int, arrival: int) -> ClockFit | None:
        """Take in one packet; return a new fit where one is due.

        Parameters
        ----------
        stop
            Index after its last sample.
        arrival
            Host time at which it was there [ns].

        Raises
        ------
        StateError
            Where the index does not grow.
        """
        late = (arrival - self._zero) * 1e-9 - (stop - self._first) * self._period
        if late < self._best:
            self._best, self._at = late, stop
        if stop <= self._newest:
            raise StateError(
                f"ClockFitter needs packets in order; got one that ends before sample {stop} after one that ended "
                f"before {self._newest}. Drop duplicates, and call restart where the device began again."
            )
        self._newest = stop
        if stop < self._boundary and late > self._early:
            return None
        return self._close(stop, arrival)

    def _close(self, stop: int, arrival: int) -> ClockFit | None:
        """End a bin."""
        if self._first < 0:
            self._first, self._zero, self._best, self._at = stop, arrival, 0.0, stop
        self._boundary = (stop // self._each + 1) * self._each
        anew = self._hear(_Point((self._at - self._first) * self._period, self._best))
        self._empty_bin()
        self._early = self._line[-1].late - LEAP
        self._bins = 1 if anew else self._bins + 1
        if self._bins > BINS and stop < self._due:
            return None
        self._due = (stop // (BINS * self._each) + 1) * BINS * self._each
        fit = self._fit(stop)
        if self._clock is None:
            self._clock = Clock(fit)
            return fit
        last = self._clock.fits[-1]
        ahead = stop + BINS * self._each  # the two lines now, and where the next is due
        apart = max(abs(fit.time_of(i) - last.time_of(i)) for i in (stop, ahead))
        if apart < SETTLED * fit.uncertainty and fit.uncertainty > 0.7 * last.uncertainty:
            return None
        self._clock.add(fit)
        return fit

    def _hear(self, p: _Point) -> bool:
        """Place a bin's packet; return True where the line begins anew."""
        line = self._line
        if line and p.late > line[-1].late + self._tolerance * (p.due - line[-1].due):
            return self._hold(p)
        self._held = []
        anew = not line or p.late < line[-1].late - LEAP
        _push(line, p, self._tolerance)
        while len(line) > BINS * self._window or line[0].due < p.due - 3 * self._window:
            del line[0]
        return anew

    def _hold(self, p: _Point) -> bool:
        """Keep aside what was held up; where it stays as late for long, it is the clock that was stepped."""
        held = self._held
        if held and p.late > held[-1].late + self._tolerance * (p.due - held[-1].due):
            if p.due - held[-1].due > LEAP:
                self._held = [p]
            return False
        _push(held, p, self._tolerance)
        leapt = p.late - self._line[-1].late > LEAP
        if p.due - held[0].due < (LEAP if leapt else self._window):
            return False
        self._line, self._held = held, []
        return True

    def _fit(self, stop: int) -> ClockFit:
        line, above = self._line, self._above()
        before, recent = above[:-RECENT], above[-RECENT:]
        if len(before) > RECENT and min(recent) > BENT * sum(before) / len(before) + 1e-4:
            del line[:-RECENT]  # the rate is another one now
            above = self._above()
        now = (stop - self._first) * self._period
        base, middle = line[0].late - self._slope * line[0].due - above[0], sum(p.due for p in line) / len(line)
        spread = (self._jitter + sum(above)) / len(line)
        half = max((line[-1].due - line[0].due) / 2, 0.5 / BINS)
        uncertainty = spread * sqrt((1 + 3 * ((now - middle) / half) ** 2) / len(line))
        # a sample's packet ends with it: the newest sample is the one before `stop`
        time = self._zero * 1e-9 + now + base + self._slope * now - self._latency
        period = self._period * (1 + self._slope)
        return ClockFit(since=stop, index=float(stop), time=time + period, period=period, uncertainty=uncertainty)

    def _above(self) -> list[float]:
        """Choose the slope; return how far above the line each point lies [s]."""
        if len(self._line) > 2:
            self._slope = _slope(self._line)
        late = [p.late - self._slope * p.due for p in self._line]
        base = min(late)
        return [v - base for v in late]


def _push(line: list[_Point], p: _Point, tolerance: float) -> None:
    """Append a point; those before that it shows to have been held up go."""
    while line and line[-1].late > p.late + tolerance * (p.due - line[-1].due):
        line.pop()
    line.append(p)


def _slope(line: list[_Point]) -> float:
    """Return the slope of the edge of the lower hull that lies below the middle of the points."""
    middle = sum(p.due for p in line) / len(line)
    hull: list[_Point] = []
    for p in line:
        while len(hull) > 1 and _turn(hull[-2], hull[-1], p) <= 0:
            hull.pop()
        hull.append(p)
    k = next(k for k in range(1, len(hull)) if hull[k].due >= middle)
    return (hull[k].late - hull[k - 1].late) / (hull[k].due - hull[k - 1].due)


def _turn(a: _Point, b: _Point, c: _Point) -> float:
    return (b.due - a.due) * (c.late - a.late) - (c.due - a.due) * (b.late - a.late)


def clock_control(fit: ClockFit) -> Control:
    """Return the record of a fit: kind ``clock``."""
    return Control(
        at_sample=fit.since,
        kind="clock",
        payload={"index": fit.index, "time": fit.time, "period": fit.period, "uncertainty": fit.uncertainty},
    )


def clock_fit(control: Control) -> ClockFit:
    """Return the fit of a record of kind ``clock``."""
    if control.kind != "clock":
        raise ConfigError(f"clock_fit needs a control of kind 'clock'; got {control.kind!r}. Choose those.")
    p = control.payload
    return ClockFit(
        since=control.at_sample, index=p["index"], time=p["time"], period=p["period"], uncertainty=p["uncertainty"]
    )
