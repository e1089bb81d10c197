"""What a generated loop computes, written down in plain numpy, one number after the other."""

import numpy as np

SIGMA = 0.6744897501960817  # median of |x| for a standard normal x


def gate(x, ok, rail, judged, flat):
    """Hold the last value that can be trusted; mark what cannot."""
    y, good = np.zeros_like(x), np.zeros(x.shape, bool)
    for c in range(x.shape[1]):
        held, last, run = x.dtype.type(0), None, 0
        for t in range(len(x)):
            v = x[t, c]
            seen = ok[t, c] and np.isfinite(v)
            if seen and judged[c] and flat:
                run, last = (min(run + 1, flat) if v == last else 1), v
            good[t, c] = seen and not (judged[c] and (abs(v) >= rail or (flat and run >= flat)))
            held = v if good[t, c] else held
            y[t, c] = held
    return y, good


def work(x, ok, body, prime, settle, held=None):
    """Run a body on every channel: primed where it becomes valid, held where it is not; 0 where nothing comes.

    Where `held` is a list, the last state of each channel is added to it.
    """
    y, good = np.zeros_like(x), np.zeros(x.shape, bool)
    for c in range(x.shape[1]):
        state, left, last = None, 0, (0,)
        for t in range(len(x)):
            if not ok[t, c]:
                state = None
                continue
            if state is None:
                state, left = (prime(x[t, c]), settle) if prime else ((), 0)
            else:
                left = max(left - 1, 0)
            value, state = body(x[t, c], state)
            last = state
            good[t, c] = left == 0
            y[t, c] = value if left == 0 else 0
        if held is not None:
            held.append(last[0])
    return y, good


def level(x, ok, size, least):
    """Take away the mean of each group: 16 lanes, added in halves."""
    y, good = np.zeros_like(x), np.zeros(x.shape, bool)
    for first in range(0, x.shape[1], size):
        for t in range(len(x)):
            lanes, own = np.zeros(16, x.dtype), slice(first, first + size)
            for i in range(size):
                lanes[i % 16] += x[t, first + i] if ok[t, first + i] else x.dtype.type(0)
            while len(lanes) > 1:
                lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
            number = int(ok[t, own].sum())
            good[t, own] = ok[t, own] & (number >= least)
            mean = lanes[0] / x.dtype.type(max(number, 1))
            y[t, own] = np.where(good[t, own], x[t, own] - mean, 0)
    return y, good


def tally(x, ok, start, hop, hops, need):
    """Average sizes over windows of hops; return the first row, rows and masks."""
    n = len(x)
    first = max(-(-start // hop), (start - hop * hops) // hop + 1)
    rows, fine = [], []
    for k in range(first, (start + n - hop * hops) // hop + 1):
        total, number = np.zeros(x.shape[1]), np.zeros(x.shape[1], int)
        for h in range(k, k + hops):
            whole = np.zeros(x.shape[1])
            at = h * hop
            while at < (h + 1) * hop:
                end, part = min((at // 256 + 1) * 256, (h + 1) * hop), np.zeros(x.shape[1], x.dtype)
                for i in range(at - start, end - start):
                    part = np.where(ok[i], part + abs(x[i]), part)
                whole += part
                at = end
            total = total + whole if h > k else whole
            number += ok[h * hop - start : (h + 1) * hop - start].sum(axis=0)
        fine.append(number >= need)
        rows.append(np.where(fine[-1], total / np.maximum(number, 1), 0).astype(x.dtype))
    return first, np.array(rows), np.array(fine)


def crossings(x, ok, start, end):
    """Return events (sample, code, channel, value) in order, and where a channel is listened to."""
    events, listened = [], np.zeros(x.shape, bool)
    for c in range(x.shape[1]):
        ring, limit, noise, n = np.full(end.heard, np.inf), None, 0.0, 0
        turn = c // 16 * end.step % end.heard
        free, before, away = -(2**60), None, True
        for t in range(len(x)):
            i, z = start + t, np.float32(x[t, c]) if ok[t, c] else None
            if z is not None and limit is not None and before is not None and z < limit <= before and i >= free:
                events.append((i, 0, c, z))
                free = i + end.refractory
            listened[t, c] = z is not None and before is not None and limit is not None
            if listened[t, c] == away:
                away = not away
                events.append((i, 1 if away else 2, c, np.float32(0)))
            before = z
            if i % end.stride:
                continue
            slot = i // end.stride % end.heard
            ring[slot] = np.inf if z is None else abs(z)
            if (end.heard - slot) % end.heard != turn:
                continue
            sizes = np.sort(ring[np.isfinite(ring)])
            if len(sizes) >= (end.heard + 1) // 2:
                n += 1
                new = float(sizes[(len(sizes) - 1) // 2]) / SIGMA
                noise = float(np.float32(noise + max(end.weight, 1 / n) * (new - noise)))
                limit = np.float32(-end.factor * noise) if noise > 0 else None
    return sorted(events, key=lambda e: (e[0], e[2], e[1])), listened


def bins(events, listened, start, size):
    """Count crossings in bins; a bin is valid where the channel was listened to all the time."""
    n = len(listened)
    first = -(-start // size)
    count = max((start + n) // size - first, 0)
    rows = np.zeros((count, listened.shape[1]), np.float32)
    for i, code, c, _ in events:
        if code == 0 and 0 <= i // size - first < count:
            rows[i // size - first, c] += 1
    fine = [listened[k * size - start : (k + 1) * size - start].all(axis=0) for k in range(first, first + count)]
    return first, rows, np.array(fine).reshape(rows.shape)
