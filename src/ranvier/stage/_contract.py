"""Contract: what a fitted stage was fitted on, and refuses to do without."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ranvier.errors import ContractError, ModelError
from ranvier.stage._stage import need_stream
from ranvier.stream import Info, StreamInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The input that a fitted stage needs: channel names, units, rate, shape of one sample."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    rate: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        try:
            rate = Fraction(self.rate)
        except (ValueError, ZeroDivisionError):
            rate = Fraction(-1)
        if rate < 0:
            raise ContractError(f"Contract needs a rate >= 0 Hz, '250' or '1000/3'; got {self.rate!r}. Mend it.")

    @classmethod
    def of(cls, info: StreamInfo) -> Contract:
        """Write down what a stream is."""
        return cls(names=info.channels.names, units=info.channels.units, rate=str(info.rate), shape=info.shape)

    def __repr__(self) -> str:
        units = tuple(dict.fromkeys(self.units))
        return f"Contract({_short(self.names)}; {_short(units)}; {self.rate} Hz; {self.shape})"

    def check(self, who: Any, info: Info) -> StreamInfo:
        """Refuse a stream that is not what `who` was fitted on; both values stand in the text."""
        name = type(who).__name__
        got = need_stream(who, info)
        pairs = (
            ("rate", f"{float(Fraction(self.rate)):g} Hz", f"{float(got.rate):g} Hz", self.rate == str(got.rate)),
            ("channels", _short(self.names), _short(got.channels.names), self.names == got.channels.names),
            ("units", _short(self.units), _short(got.channels.units), self.units == got.channels.units),
            ("shape", str(self.shape), str(got.shape), self.shape == got.shape),
        )
        for what, wanted, given, same in pairs:
            if not same:
                raise ContractError(
                    f"{name} was fitted on {what} {wanted}; got {given}. Feed it the stream that it was fitted on "
                    "(Pick and Resample before it), or fit it again."
                )
        return got


def _short(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + (f", ... ({len(names)})" if len(names) > 6 else "")


def need_fitted(who: Any, value: Any) -> None:
    """Refuse a stage whose learned arrays are missing."""
    if value is None:
        raise ModelError(f"{type(who).__name__} needs to be fitted; got no learned values. Call fit, or load a model.")
