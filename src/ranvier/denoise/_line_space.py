"""Which combinations of channels mains is in: more line than beside it, by more than chance explains."""

from __future__ import annotations

import numpy as np

from ranvier.stage import State
from ranvier.stream import Array

CHANCE = 2.0  # times the most that chance gives
LEAST = 1.0  # s of products that a channel needs


class Combinations:
    """Solve for the combinations; all arrays have the same shape every time.

    Parameters
    ----------
    components
        How many; None for as many as stand out.
    bandwidth, wider, quicker
        Of the line [Hz], and how many times wider what is beside it and what follows a jump is.
    look, memory
        Time between two products, and of their fading [s].
    """

    def __init__(
        self, components: int | None, bandwidth: float, wider: float, quicker: float, look: float, memory: float
    ) -> None:
        self.components, self.keep = components, 1 - look / memory
        self._least, self._apiece = LEAST / look, 2 * bandwidth * look  # independent real numbers in each product
        self._wider = wider
        away = np.arange(-40 * wider, 40 * wider, 1 / 64) + 1 / 128  # from the line, in halves of the bandwidth
        band, own = 1 / (1 + 1j * away / wider), 1 / (1 + 1j * away)
        line, beside = (np.abs(band * own) ** 2).sum(), (np.abs(band * (band - own)) ** 2).sum()
        self._chance = float(line / beside)  # where the spectrum is flat
        quick = 1 / (1 + 1j * away / quicker)
        # what quick phasors find of what is beside the line, which filters make 1
        self.usual = float((np.abs((1 - own) * quick) ** 2).sum() / beside)

    def update(self, state: State) -> None:
        """Write filters, patterns, and which channels they know."""
        line, beside, count = (_symmetric(a) for a in state["space"])
        used = np.diag(count) >= self._least
        power = np.where(used, np.diag(beside) / np.maximum(np.diag(count), 1.0), 0.0)
        used &= power > 0
        scale = np.where(used, 1 / np.sqrt(np.where(used, power, 1.0)), 0.0)
        alike = np.where(count > 0, scale[:, None] * scale / np.maximum(count, 1e-9), 0.0)
        n = max(int(used.sum()), 1)
        samples = self._apiece * float(np.median(np.diag(count)[used])) if used.any() else 0.0
        shrunk = (n / (n + self._wider * samples)) ** 3
        near = (1 - shrunk) * beside * alike + shrunk * np.eye(len(used))
        values, vectors = np.linalg.eigh(near)
        white = vectors / np.sqrt(np.maximum(values, 1e-3 * shrunk))
        mains = line * alike
        values, vectors = np.linalg.eigh(white.T @ mains @ white)
        k = len(state["filters"])
        values, chosen = values[::-1][:k], (white @ vectors[:, ::-1][:, :k]).T
        if self.components is None:
            edge = CHANCE * self._chance * (1 + np.sqrt(n / max(samples, 1.0))) ** 2
            keep = values > edge
        else:
            keep = (np.arange(k) < self.components) & (values > 0)
        keep &= used.any()
        chosen = np.where(keep[:, None], chosen, 0.0)
        pattern = (chosen @ mains) / np.where(keep, values, 1.0)[:, None]
        filters = chosen * scale
        mix = filters @ state["patterns"].T  # what was found of old combinations, in terms of new ones
        state["quick_wave"][...] = state["quick_wave"] @ mix.T
        state["quick_usual"][...] = np.maximum(state["quick_usual"] @ (mix**2).T, self.usual)
        state["filters"][...] = filters
        state["patterns"][...] = pattern * np.where(used, np.sqrt(np.where(used, power, 1.0)), 0.0)
        state["used"][...] = used


def _symmetric(upper: Array) -> Array:
    return np.triu(upper) + np.triu(upper, 1).T
