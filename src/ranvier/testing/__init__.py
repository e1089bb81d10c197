"""The conformance suite and its scenes: shipped for others, imported by nothing that runs."""

from ranvier.testing._actuator import check_actuator
from ranvier.testing._compare import ConformanceError
from ranvier.testing._format import check_format, check_recording
from ranvier.testing._scene import Output, Scene, cuts_of, flow, scene
from ranvier.testing._source import check_codec, check_source
from ranvier.testing._stage import CHECKS, Report, Result, check_stage, parametrize_with_checks, report_stage
from ranvier.testing._trainable import check_trainable

__all__ = [
    "CHECKS",
    "ConformanceError",
    "Output",
    "Report",
    "Result",
    "Scene",
    "check_actuator",
    "check_codec",
    "check_format",
    "check_recording",
    "check_source",
    "check_stage",
    "check_trainable",
    "cuts_of",
    "flow",
    "parametrize_with_checks",
    "report_stage",
    "scene",
]
