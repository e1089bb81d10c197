"""Networks from ONNX files: against plain NumPy, to the bit for any cut, and what hostile files come to."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ranvier.decode import Network
from ranvier.decode._onnx import CHANCE, INSIDE, MOST, need_harmless
from ranvier.errors import ContractError, FormatError, MissingExtraError, ModelError, RanvierError
from ranvier.features import Window
from ranvier.stage import Run, load_model, save_model
from ranvier.stream import Block, StreamInfo
from ranvier.testing import check_stage
from ranvier.testing._onnx import recurrent

from .helpers import run, stream

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

ROOT = Path(__file__).parents[2]


def port(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name, a, dtype=np.float32):
    return numpy_helper.from_array(np.asarray(a, dtype), name)


def model(nodes, inputs, outputs, constants=(), domain="", functions=()):
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(constants))
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=list(functions)).SerializeToString()


def node(operator, inputs, outputs, **attributes):
    return helper.make_node(operator, inputs, outputs, **attributes)


def eegnet(length, channels, classes, seed, batch="batch"):
    """An EEGNet of 4 temporal and 8 spatial filters, and the same in float64 NumPy."""
    rng = np.random.default_rng(seed)
    kernel, pool = 15, 4
    temporal = rng.standard_normal((4, 1, 1, kernel)) / 4
    spatial = rng.standard_normal((8, 1, channels, 1)) / np.sqrt(channels)
    scale, shift, mean, var = (rng.uniform(0.5, 1.5, 8) for _ in range(4))
    deep = rng.standard_normal((8, 1, 1, 7)) / 3
    point = rng.standard_normal((6, 8, 1, 1)) / 3
    steps = length // pool
    dense = rng.standard_normal((6 * steps, classes)) / np.sqrt(6 * steps)
    names = ("temporal", "spatial", "scale", "shift", "mean", "var", "deep", "point", "dense")
    values = (temporal, spatial, scale, shift, mean, var, deep, point, dense)
    nodes = [
        node("Mul", ["x", "small"], ["a0"]),
        node("Conv", ["a0", "temporal"], ["a1"], pads=[0, 7, 0, 7]),
        node("Conv", ["a1", "spatial"], ["a2"], group=4),
        node("BatchNormalization", ["a2", "scale", "shift", "mean", "var"], ["a3"], epsilon=1e-5),
        node("Elu", ["a3"], ["a4"]),
        node("AveragePool", ["a4"], ["a5"], kernel_shape=[1, pool], strides=[1, pool]),
        node("Conv", ["a5", "deep"], ["a6"], group=8, pads=[0, 3, 0, 3]),
        node("Conv", ["a6", "point"], ["a7"]),
        node("Elu", ["a7"], ["a8"]),
        node("Flatten", ["a8"], ["a9"]),
        node("MatMul", ["a9", "dense"], ["y"]),
    ]
    constants = [constant(n, v) for n, v in zip(names, values, strict=True)] + [constant("small", 0.05)]
    data = model(nodes, [port("x", [batch, 1, channels, length])], [port("y", [batch, classes])], constants)
    double = [np.asarray(v, np.float32).astype(float) for v in values]

    def along(x, taps):
        wide = np.pad(x, ((0, 0), (0, 0), (taps.shape[-1] // 2,) * 2))
        return np.lib.stride_tricks.sliding_window_view(wide, taps.shape[-1], axis=-1)

    def elu(x):
        return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))

    def numpy(window):
        temporal, spatial, scale, shift, mean, var, deep, point, dense = double
        x = np.float32(0.05).astype(float) * window.T.astype(float)
        a = np.einsum("ctk,fk->fct", along(x[None], temporal)[0], temporal[:, 0, 0])
        a = np.einsum("fct,fgc->fgt", a, spatial[:, 0, :, 0].reshape(4, 2, channels)).reshape(8, length)
        a = elu((a - mean[:, None]) / np.sqrt(var[:, None] + 1e-5) * scale[:, None] + shift[:, None])
        a = a[:, : steps * pool].reshape(8, steps, pool).mean(axis=2)
        a = np.einsum("ftk,fk->ft", along(a[:, None], deep)[:, 0], deep[:, 0, 0])
        return elu(point[:, :, 0, 0] @ a).ravel() @ dense

    return data, numpy


def gru(n, hidden, targets, seed):
    """One step of a GRU with a linear readout, and the same in float64 NumPy over many samples."""
    rng = np.random.default_rng(seed)
    w, r, b = rng.standard_normal((3 * hidden, n)) / 40, rng.standard_normal((3 * hidden, hidden)) / 4, None
    b, out = rng.standard_normal(6 * hidden) / 4, rng.standard_normal((hidden, targets))
    constants = [constant("w", w[None]), constant("r", r[None]), constant("b", b[None]), constant("out", out)]
    nodes = [
        node("GRU", ["x", "w", "r", "b", "", "h"], ["", "h_next"], hidden_size=hidden, linear_before_reset=1),
        node("MatMul", ["h_next", "out"], ["y"]),
    ]
    ports = [port("x", [1, "batch", n]), port("h", [1, "batch", hidden])]
    data = model(nodes, ports, [port("y", [1, "batch", targets]), port("h_next", [1, "batch", hidden])], constants)
    w, r, b, out = (np.asarray(a, np.float32).astype(float) for a in (w, r, b, out))

    def logistic(v):
        return 1 / (1 + np.exp(-v))

    def numpy(x):
        h, found = np.zeros(hidden), []
        wb, rb = b[: 3 * hidden].reshape(3, hidden), b[3 * hidden :].reshape(3, hidden)
        for sample in x.astype(float):
            u, v = (w @ sample).reshape(3, hidden) + wb, (r @ h).reshape(3, hidden) + rb
            update, reset = logistic(u[0] + v[0]), logistic(u[1] + v[1])
            h = (1 - update) * np.tanh(u[2] + reset * v[2]) + update * h
            found.append(h @ out)
        return np.array(found)

    return data, numpy


WINDOWS = stream((64, 6), np.float32)
VECTORS = stream((5,), np.float32)
STATES = (("h", "h_next"),)


def windows(n, info, seed=3):
    return (20 * np.random.default_rng(seed).standard_normal((n, *info.shape))).astype(info.dtype)


def classifier(info=WINDOWS, **options):
    data, numpy = eegnet(*info.shape, 3, seed=1)
    return Network.from_onnx(data, info, classes=("left", "right", "rest"), **options), numpy


def follower(info=VECTORS):
    data, numpy = gru(*info.shape, 8, 2, seed=2)
    made = Network.from_onnx(data, info, names=("vx", "vy"), units=("cm/s", "cm/s"), states=STATES, memory=120)
    return made, numpy


# what it computes


def test_an_eegnet_is_what_numpy_makes_of_it():
    stage, numpy = classifier()
    x = windows(20, WINDOWS)
    out = run(stage, WINDOWS, x)
    wanted = np.array([numpy(w) for w in x])
    assert np.abs(out.data - wanted).max() < 2e-6 * np.abs(wanted).max()
    assert stage.describe(WINDOWS).channels.names == ("left", "right", "rest")
    assert set(stage.describe(WINDOWS).channels.kinds) == {"class"}


def test_softmax_makes_probabilities_of_it():
    scores = run(classifier()[0], WINDOWS, windows(9, WINDOWS)).data.astype(float)
    found = run(classifier(link="softmax")[0], WINDOWS, windows(9, WINDOWS)).data
    wanted = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.abs(found - wanted).max() < 1e-7


def test_windows_may_be_wanted_time_first():
    data, _ = eegnet(64, 6, 3, seed=1)
    info = stream((6, 64), np.float32)
    turned = Network.from_onnx(data, info, classes=("a", "b", "c"), axes="time channel")
    x = windows(4, WINDOWS)
    assert np.array_equal(run(turned, info, x.swapaxes(1, 2)).data, run(classifier()[0], WINDOWS, x).data)


def test_a_gru_follows_its_state_as_numpy_does():
    stage, numpy = follower()
    x = windows(300, VECTORS)
    out = run(stage, VECTORS, x)
    wanted = numpy(x)
    assert np.abs(out.data - wanted).max() < 1e-5 * np.abs(wanted).max()
    info = stage.describe(VECTORS)
    assert info.channels.units == ("cm/s", "cm/s")
    assert set(info.channels.kinds) == {"target"}
    assert info.support == VECTORS.support + 120 * 25


def test_a_jump_of_the_index_begins_anew():
    stage, numpy = follower()
    x = windows(40, VECTORS)
    going = Run(stage, VECTORS)
    going.push(Block(x[:20], 0))
    after = going.push(Block(x[20:], 1000)).data
    assert np.array_equal(after, run(stage, VECTORS, x[20:]).data)
    assert np.abs(after - numpy(x[20:])).max() < 1e-4


# the law


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_networks_conform(dtype):
    check_stage(classifier()[0], WINDOWS.but(dtype=np.dtype(dtype)))
    check_stage(follower()[0], VECTORS.but(dtype=np.dtype(dtype)))


def test_networks_conform_on_epochs_and_behind_windows():
    epochs = stream((64, 6), np.float32, rate=0)
    check_stage(Network.from_onnx(eegnet(64, 6, 3, seed=1)[0], epochs, classes=("a", "b", "c"), link="softmax"), epochs)
    signal = StreamInfo.signal(250, 6)
    cut = Window(length=0.256, hop=0.1)
    check_stage(
        cut | Network.from_onnx(eegnet(64, 6, 3, seed=1)[0], cut.describe(signal), classes=("a", "b", "c")), signal
    )


def test_the_same_bits_in_another_process_and_wherever_the_memory_lies(tmp_path):
    """Exact is what is declared: a fresh process with rows that begin at odd addresses gives the same bits."""
    stage, _ = classifier()
    x = windows(16, WINDOWS)
    save_model(stage, tmp_path / "m.rvm")
    np.save(tmp_path / "x.npy", x)
    code = f"""
import numpy as np
from ranvier.stage import Run, load_model
from ranvier.stream import Block
from tests.decode.helpers import stream
folder = {str(tmp_path)!r}
x = np.load(folder + "/x.npy")
wide = np.zeros((*x.shape[:2], x.shape[2] + 1), x.dtype)
wide[..., 1:] = x
run = Run(load_model(folder + "/m.rvm"), stream((64, 6), np.float32))
np.save(folder + "/y.npy", np.concatenate([run.push(Block(wide[i : i + 1, :, 1:], i)).data for i in range(16)]))
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert np.load(tmp_path / "y.npy").tobytes() == run(stage, WINDOWS, x).data.tobytes()


def test_an_invalid_number_makes_the_sample_invalid_and_leaves_the_state():
    stage, _ = follower()
    x = windows(30, VECTORS)
    valid = np.ones(x.shape, bool)
    valid[10, 2] = valid[11] = False
    out = run(stage, VECTORS, x, valid)
    assert np.flatnonzero(~out.valid.any(axis=1)).tolist() == [10, 11]
    assert not out.data[10:12].any()
    kept = np.delete(x, [10, 11], axis=0)
    assert np.array_equal(np.delete(out.data, [10, 11], axis=0), run(stage, VECTORS, kept).data)


def test_results_that_are_not_finite_are_invalid_and_forgotten():
    nodes = [
        node("Add", ["x", "h"], ["s"]), node("Log", ["s"], ["y"]), node("Mul", ["y", "zero"], ["h_next"]),
    ]  # fmt: skip
    data = model(
        nodes, [port("x", [1, 1]), port("h", [1, 1])], [port("y", [1, 1]), port("h_next", [1, 1])],
        [constant("zero", [[0.0]])],
    )  # fmt: skip
    info = stream((1,), np.float32)
    stage = Network.from_onnx(data, info, names=("log",), states=STATES, memory=1)
    out = run(stage, info, [[1.0], [-1.0], [0.0], [np.e]])
    assert out.valid[:, 0].tolist() == [True, False, False, True]
    np.testing.assert_array_max_ulp(out.data[:, 0], np.array([0, 0, 0, 1], np.float32))


def test_model_files_hold_the_network(tmp_path):
    for stage, info in ((classifier()[0], WINDOWS), (follower()[0], VECTORS)):
        save_model(stage, tmp_path / "m.rvm")
        back = load_model(tmp_path / "m.rvm")
        assert back == stage
        assert np.array_equal(run(back, info, windows(5, info)).data, run(stage, info, windows(5, info)).data)
    assert classifier()[0].id != follower()[0].id


# what does not fit


def test_what_does_not_fit_the_stream_is_refused():
    data, _ = eegnet(64, 6, 3, seed=1)
    three = ("a", "b", "c")
    for info in (stream((6, 64)), stream((63, 6)), stream((6,)), stream((64, 6, 6))):
        with pytest.raises(ContractError, match=r"fit its input 'x' of \(1, 1, 6, 64\).*got"):
            Network.from_onnx(data, info, classes=three)
    with pytest.raises(ContractError, match=r"needs 2 outputs, a, b; got 'y' of \(1, 3\)"):
        Network.from_onnx(data, WINDOWS, classes=("a", "b"))
    with pytest.raises(ContractError, match="fitted on rate 10 Hz; got 20 Hz"):
        classifier()[0].describe(WINDOWS.but(rate=WINDOWS.rate * 2))
    with pytest.raises(ContractError, match="needs classes, or names"):
        Network.from_onnx(data, WINDOWS)
    with pytest.raises(ContractError, match="a name and a unit for each output; got 3 and 2"):
        Network.from_onnx(data, WINDOWS, names=three, units=("uV", "uV"))
    with pytest.raises(FormatError, match=r"nowhere\.onnx cannot be read"):
        Network.from_onnx("nowhere.onnx", WINDOWS, classes=three)


def test_states_that_do_not_go_round_are_refused():
    data, _ = gru(5, 8, 2, seed=2)
    for states, memory, said in (
        ((), 0, "one input besides its states; got x, h and states none"),
        ((("h", "nothing"),), 9, "one output besides its states"),
        ((("x", "h_next"),), 9, r"states that go round; got 'x' of float32 \(1, 1, 5\)"),
        (STATES, 0, "memory > 0 with states"),
    ):
        with pytest.raises(ContractError, match=said):
            Network.from_onnx(data, VECTORS, names=("a", "b"), states=states, memory=memory)
    with pytest.raises(ContractError, match="constant rate"):
        Network.from_onnx(data, stream((5,), rate=0), names=("a", "b"), states=STATES, memory=9)


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.FLOAT16, TensorProto.STRING])
def test_other_numbers_than_floats_are_refused(kind):
    data = model([node("Identity", ["x"], ["y"])], [port("x", [1, 5], kind)], [port("y", [1, 5], kind)])
    with pytest.raises(ContractError, match="inputs and outputs of float32 or float64; got 'x' of tensor"):
        Network.from_onnx(data, VECTORS, names=tuple("abcde"))


def test_float64_networks_run_in_float64():
    kind = TensorProto.DOUBLE
    data = model([node("Sqrt", ["x"], ["y"])], [port("x", [1, 5], kind)], [port("y", [1, 5], kind)])
    info = stream((5,), np.float64)
    x = np.random.default_rng(4).uniform(0, 9, (3, 5))
    assert np.array_equal(run(Network.from_onnx(data, info, names=tuple("abcde")), info, x).data, np.sqrt(x))


# hostile files


def refused(data, said="needs", info=VECTORS, names=tuple("abcde")):
    with pytest.raises((ContractError, ModelError), match=said):
        Run(Network.from_onnx(data, info, names=names), info)


def added(extra, constants=(), domain=""):
    """``y = x + r`` where `extra` makes r."""
    return model([*extra, node("Add", ["x", "r"], ["y"])], [port("x", [1, 5])], [port("y", [1, 5])], constants, domain)


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Weights in a file that lies where the program runs: the library alone would read them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.bin").write_bytes(np.ones(5, "<f4").tobytes())
    tensor = TensorProto(name="r", data_type=TensorProto.FLOAT, dims=[1, 5], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "r.bin"
    return tensor


def test_weights_in_other_files_are_refused(beside):
    refused(added([], [beside]), "numbers lie in another file")
    refused(added([node("Constant", [], ["r"], value=beside)]), "numbers lie in another file")
    inner = helper.make_graph([node("Constant", [], ["v"], value=beside)], "g", [], [port("v", [1, 5])])
    branch = node("If", ["yes"], ["r"], then_branch=inner, else_branch=inner)
    refused(added([branch], [constant("yes", True, bool)]), "numbers lie in another file")
    only_said = TensorProto(name="r", data_type=TensorProto.FLOAT, dims=[1, 5], data_location=TensorProto.EXTERNAL)
    refused(added([], [only_said]), "numbers lie in another file")


def test_operators_of_others_are_refused():
    refused(added([node("Evil", ["x"], ["r"], domain="evil.org")], domain="evil.org"), "the operator evil.org.Evil")
    refused(added([node("Gelu", ["x"], ["r"], domain="com.microsoft")], domain="com.microsoft"), "com.microsoft.Gelu")
    refused(added([node("NoSuchThing", ["x"], ["r"])]), "onnxruntime can run.*NoSuchThing")


def test_functions_that_a_model_brings_along_are_run():
    body = helper.make_function(
        "mine", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    data = model(
        [node("Twice", ["x"], ["y"], domain="mine")], [port("x", [1, 5])], [port("y", [1, 5])], (), "mine", [body]
    )
    x = windows(3, VECTORS)
    assert np.array_equal(run(Network.from_onnx(data, VECTORS, names=tuple("abcde")), VECTORS, x).data, 2 * x)


def test_a_function_of_its_own_opens_no_domain_of_others():
    theirs = "com.microsoft"
    body = helper.make_function(theirs, "Mine", ["a"], ["b"], [node("Identity", ["a"], ["b"])], [])
    nodes = [node("Gelu", ["x"], ["y"], domain=theirs)]
    refused(model(nodes, [port("x", [1, 5])], [port("y", [1, 5])], (), theirs, [body]), "com.microsoft.Gelu")


def test_chance_is_refused():
    refused(added([node("RandomNormalLike", ["x"], ["r"])]), "RandomNormalLike, which draws chance")
    drop = node("Dropout", ["x", "half", "yes"], ["r"])
    refused(added([drop], [constant("half", 0.5), constant("yes", True, bool)]), "Dropout, which draws chance")
    assert (
        len(
            run(
                Network.from_onnx(added([node("Dropout", ["x"], ["r"])]), VECTORS, names=tuple("abcde")),
                VECTORS,
                windows(1, VECTORS),
            ).data
        )
        == 1
    )  # as exported for evaluation: it does nothing
    chance = {s.name for s in onnx.defs.get_all_schemas() if "NonDeterministic" in str(s.node_determinism)}
    around = {"If", "Scan", "SequenceMap", "AffineGrid"}  # these are as determined as the operators inside them
    assert chance - around - {"Dropout", "Loop"} == CHANCE


def test_loops_are_refused():
    body = helper.make_graph(
        [node("Identity", ["go"], ["again"]), node("Add", ["v", "v"], ["w"])], "g",
        [port("i", [], TensorProto.INT64), port("go", [], TensorProto.BOOL), port("v", [1, 5])],
        [port("again", [], TensorProto.BOOL), port("w", [1, 5])],
    )  # fmt: skip
    times, yes = constant("times", 3, np.int64), constant("yes", True, bool)  # this one would end
    loop = node("Loop", ["times", "yes", "x"], ["r"], body=body)
    refused(added([loop], [times, yes]), "Loop, which may never end")


def test_claims_of_much_memory_are_refused():
    claim = TensorProto(name="r", data_type=TensorProto.FLOAT, dims=[1, 250_000_000], raw_data=b"abcd")
    refused(added([], [claim]), "onnxruntime can run")
    nodes, huge = [node("Identity", ["h"], ["h_next"]), node("Identity", ["x"], ["y"])], [1, 10**13]
    data = model(nodes, [port("x", [1, 5]), port("h", huge)], [port("y", [1, 5]), port("h_next", huge)])
    with pytest.raises(ContractError, match=r"states of at most 64 MiB; got 'h'"):
        Network.from_onnx(data, VECTORS, names=tuple("abcde"), states=STATES, memory=1)
    with pytest.raises(ContractError, match=r"of 1 byte to 64 MiB; got"):
        need_harmless(memoryview(bytes(MOST + 1)))
    with pytest.raises(ContractError, match="got 0 bytes"):
        Network.from_onnx(b"", VECTORS, names=tuple("abcde"))


HUNGRY = """
import resource
import numpy as np
from ranvier.decode import Network
from ranvier.errors import ModelError
from ranvier.stage import Run
from tests.decode.helpers import stream
info = stream((5,), np.float32)
stage = Network.from_onnx(open("{path}", "rb").read(), info, names=tuple("abcde"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    Run(stage, info)
except ModelError as e:
    assert "Available memory" in str(e), e
else:
    raise SystemExit("it ran")
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "it took its memory"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_a_gigabyte_made_of_nine_bytes_is_refused(tmp_path):
    shape, axis = constant("shape", [1, 250_000_000], np.int64), constant("axis", [1], np.int64)
    data = added(
        [node("ConstantOfShape", ["shape"], ["big"]), node("ReduceSum", ["big", "axis"], ["r"])], [shape, axis]
    )
    (tmp_path / "big.onnx").write_bytes(data)
    subprocess.run([sys.executable, "-c", HUNGRY.format(path=tmp_path / "big.onnx")], check=True, cwd=ROOT)


def test_damaged_files_are_refused():
    data = recurrent(4, 3, 2, seed=5)
    info, options = stream((4, 3), np.float32), {"names": ("a", "b"), "states": STATES, "memory": 3}
    Run(Network.from_onnx(data, info, **options), info)
    for n in range(len(data)):
        with pytest.raises(RanvierError):
            Run(Network.from_onnx(data[:n], info, **options), info)
    rng, ran = np.random.default_rng(6), 0
    for _ in range(400):
        bad = bytearray(data)
        for at in rng.integers(0, len(bad), rng.integers(1, 4)):
            bad[at] = rng.integers(0, 256)
        try:
            Run(Network.from_onnx(bytes(bad), info, **options), info)
            ran += 1  # a weight or a name changed
        except RanvierError:
            pass
    assert 0 < ran < 400


@pytest.mark.parametrize("data", [b"\x12\x06xxORTM", b"ORTM" * 9, b"\x0b\x0c", b"\xff" * 40, b"\x08" + b"\x80" * 30])
def test_what_is_no_onnx_is_refused(data):
    refused(data, r"needs an ONNX model of|whole ONNX model|onnxruntime can run.*No graph")


def test_the_way_to_every_tensor_and_operator_is_walked():
    """The table of messages is that of onnx.proto."""
    found, waiting, seen = {}, [onnx.ModelProto.DESCRIPTOR], set()
    short = {"TensorProto": "Tensor", "NodeProto": "Node"}
    reach = {}
    while waiting:
        message = waiting.pop()
        if message.name in seen:
            continue
        seen.add(message.name)
        inner = {f.number: f.message_type for f in message.fields if f.message_type is not None}
        reach[message.name] = inner
        waiting += inner.values()
    ours = {"TensorProto", "NodeProto"}
    while True:
        more = {m for m, inner in reach.items() if any(t.name in ours for t in inner.values())} | ours
        if more == ours:
            break
        ours = more
    for name in ours:
        key = short.get(name, name.removesuffix("Proto").removesuffix("Info").replace("SparseTensor", "Sparse"))
        found[key] = {
            number: short.get(
                t.name, t.name.removesuffix("Proto").removesuffix("Info").replace("SparseTensor", "Sparse")
            )
            for number, t in reach[name].items()
            if t.name in ours
        }
    assert found == INSIDE


# without the library


def test_the_library_is_imported_only_when_it_runs():
    code = "import sys, ranvier.decode, ranvier.testing; assert 'onnxruntime' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_library_is_named_with_its_pip_line(monkeypatch):
    data = eegnet(64, 6, 3, seed=1)[0]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"Network needs onnxruntime.*pip install 'ranvier\[decode\]'"):
        Network.from_onnx(data, WINDOWS, classes=("a", "b", "c"))
