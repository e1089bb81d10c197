"""The errors that Ranvier raises, and how they hang together.

    RanvierError                 everything below; catch this to catch all of them
    |-- ContractError            a stream does not fit what a stage needs (raised by `describe`)
    |-- ConfigError              a pipeline, protocol or session file has a wrong key or value
    |-- FormatError              a file is damaged or is not what its name says
    |-- ModelError               a model file is damaged, unfitted, or made for other channels
    |-- LeakError                a training trial can see a test trial
    |-- StateError               a life cycle was broken (push after stop, restore of another graph)
    |-- SafetyError              a guard refused, or something unguarded was asked to act
    |-- DeviceError              a device, port or network peer cannot be reached, or is gone
    `-- MissingExtraError        an optional library is not installed; the message holds the pip line

Every message says who needs what; got what, with units; what to do.
"""


class RanvierError(Exception):
    """Base of all errors that Ranvier raises on purpose."""


class ContractError(RanvierError):
    """A stream does not fit what a stage needs: rate, shape, unit, channels, dtype."""


class ConfigError(RanvierError):
    """A configuration file has a wrong key or value; the message names the key."""


class FormatError(RanvierError):
    """A recording is damaged or not what its name says; the message names file and place."""


class ModelError(RanvierError):
    """A model file is damaged, unfitted, or was made for other channels."""


class LeakError(RanvierError):
    """A training trial shares samples, or upstream filter memory, with a test trial."""


class StateError(RanvierError):
    """A life cycle was broken: push after stop, restore of another graph's state."""


class SafetyError(RanvierError):
    """A guard refused a command, or something unguarded was asked to act."""


class DeviceError(RanvierError):
    """A device, port or network peer cannot be reached, or is gone; the message names it and what to look at."""


class MissingExtraError(RanvierError):
    """An optional library is not installed."""

    def __init__(self, who: str, library: str, extra: str) -> None:
        super().__init__(f"{who} needs {library}, which is not installed. Run: pip install 'ranvier[{extra}]'")
