"""The conformance suite and its scenes: shipped for others, imported by nothing that runs."""

from ranvier.testing._compare import ConformanceError
from ranvier.testing._scene import Output, Scene, cuts_of, flow, scene
from ranvier.testing._stage import CHECKS, Report, Result, check_stage, parametrize_with_checks, report_stage

__all__ = [
    "CHECKS",
    "ConformanceError",
    "Output",
    "Report",
    "Result",
    "Scene",
    "check_stage",
    "cuts_of",
    "flow",
    "parametrize_with_checks",
    "report_stage",
    "scene",
]
