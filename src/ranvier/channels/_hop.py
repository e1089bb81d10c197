"""What was heard of each channel in one hop: powers, extremes, and how channels go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ranvier.stream import Array


@dataclass(slots=True)
class Heard:
    """One number a channel each; `product`, sums of products of the slow part, one a pair, above the diagonal."""

    count: Array
    sd: Array
    mains: Array
    slow: Array
    fast: Array
    top: Array
    range: Array
    at_rail: Array
    mean: Array
    moved: Array
    power: Array
    product: Array
    lost: Array

    @classmethod
    def of(cls, rows: dict[str, Array], product: Array, anchor: Array, before: Array, hop: int, stride: int) -> Heard:
        """Make it of what the kernel wrote, of what was taken off every sample, and of the means of the hop before."""
        n = rows["count"]
        m = np.maximum(n, 1)
        mean, power = anchor + rows["sum"] / m, np.diag(product)[: len(n)]
        return cls(
            count=n, sd=np.sqrt(rows["all"] / m), mains=rows["mains"] / m, slow=power * stride / m,
            fast=rows["fast"] / m, top=anchor + rows["top"], range=rows["top"] - rows["bottom"],
            at_rail=(rows["tops"] + rows["bottoms"] - 2) / m, mean=mean, moved=np.abs(mean - before), power=power,
            product=product, lost=n < hop / 2,
        )  # fmt: skip


def centre(slow: Array) -> None:
    """Take the mean of each column off, leaving 0 where nothing was heard."""
    there = slow != 0
    slow -= np.where(there, slow.sum(0) / np.maximum(there.sum(0), 1), 0)
