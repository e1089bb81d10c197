"""What transforms: stages, chains, graphs, runs, and what becomes a stage by being fitted."""

from ranvier.kernels import Step
from ranvier.stage._align import Align
from ranvier.stage._block_stage import BlockStage, LevelStage, Scratch
from ranvier.stage._chain import Chain, chain
from ranvier.stage._config import build_dataclass, from_table, to_table
from ranvier.stage._contract import Contract, need_fitted
from ranvier.stage._devices import devices_in, plugged_in, public_name
from ranvier.stage._feed import feed, infos_of, through
from ranvier.stage._files import (
    dump_pipeline,
    load_model,
    load_pipeline,
    model_provenance,
    parse_pipeline,
    save_model,
)
from ranvier.stage._graph import Graph, Node
from ranvier.stage._learner import Learner
from ranvier.stage._loop_stage import ChannelStage, EndStage, GateStage, need_number
from ranvier.stage._parallel import Parallel, parallel
from ranvier.stage._registry import builtin, name_of, resolve
from ranvier.stage._run import Run
from ranvier.stage._stage import (
    EVENTS,
    SIGNAL,
    Port,
    Stage,
    Tags,
    as_tuple,
    need_events,
    need_signal,
    need_stream,
)
from ranvier.stage._state import State, counter
from ranvier.stage._text import from_text, options_of, split_text
from ranvier.stage._trainable import (
    Estimator,
    Goal,
    Recipe,
    Samples,
    Stream,
    Trainable,
    apply,
    collect,
    inside,
    recipe,
)

__all__ = [
    "Align", "BlockStage", "Chain", "ChannelStage", "Contract", "EVENTS", "EndStage", "Estimator", "GateStage",
    "Goal", "Graph", "Learner", "LevelStage", "Node", "Parallel", "Port", "Recipe", "Run", "SIGNAL", "Samples",
    "Scratch", "Stage", "State", "Step", "Stream", "Tags", "Trainable", "apply", "as_tuple", "build_dataclass",
    "builtin", "chain", "collect", "counter", "devices_in", "dump_pipeline", "feed", "from_table", "from_text",
    "infos_of", "inside", "load_model", "load_pipeline", "model_provenance", "name_of", "need_events",
    "need_fitted", "need_number", "need_signal", "need_stream", "options_of", "parallel", "parse_pipeline",
    "plugged_in", "public_name", "recipe", "resolve", "save_model", "split_text", "through", "to_table",
]  # fmt: skip
