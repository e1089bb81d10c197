"""Ranvier: brain-computer interfaces from electrode to action.

One pipeline whose result does not depend on how the stream is cut, so that offline, online and
replay give the same numbers. Research software, not a medical device.
"""

__version__ = "0.1.0"
