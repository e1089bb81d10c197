"""What it is worth: protocols, scores with intervals, leaks refused, streamed decisions, peers on the same folds."""

from ranvier.evaluate._cross_validate import cross_validate
from ranvier.evaluate._intervals import wilson
from ranvier.evaluate._leak import LeakRule
from ranvier.evaluate._peers import PEERS
from ranvier.evaluate._protocol import PeerPipeline, Pipeline, Protocol, TargetRule, Use
from ranvier.evaluate._protocol_file import load_protocol, protocol_from_table
from ranvier.evaluate._results import Results
from ranvier.evaluate._rows import Row
from ranvier.evaluate._run import run
from ranvier.evaluate._scores import METRICS, wolpaw
from ranvier.evaluate._select import Select
from ranvier.evaluate._speller import Speller
from ranvier.evaluate._splits import FixedSplit, KFold, LeaveOut, Streamed, Untrained
from ranvier.evaluate._table import Table, TrialRule
from ranvier.evaluate.cleaning import Finding, Recommendation, recommend

__all__ = [
    "METRICS", "PEERS", "Finding", "FixedSplit", "KFold", "LeakRule", "LeaveOut", "PeerPipeline", "Pipeline",
    "Protocol", "Recommendation", "Results", "Row", "Select", "Speller", "Streamed", "Table", "TargetRule", "TrialRule",
    "Untrained", "Use", "cross_validate", "load_protocol", "protocol_from_table", "recommend", "run", "wilson",
    "wolpaw",
]  # fmt: skip
