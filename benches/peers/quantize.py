"""Codes and speed of other libraries' quantisation, on one thread.

usage: quantize.py codes FOLDER
       quantize.py speed NAME [NAME ...]

"codes" reads FOLDER/values (f32), FOLDER/scales (f32) and FOLDER/zero_points (i8), and writes what
PyTorch and NumPy make of them beside them; it prints the names of what it wrote as a JSON list.
"speed" prints the median nanoseconds of each named case as a JSON object; what is not installed is
left out and said on stderr.
"""

import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

N = 1 << 20
COLUMNS = 256
SCALE = 0.0078125 * 1.1


def torch_module():
    import warnings

    import torch

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    return torch


def codes(folder):
    torch = torch_module()
    path = lambda name: os.path.join(folder, name)
    values = np.fromfile(path("values"), dtype="<f4")
    scales = np.fromfile(path("scales"), dtype="<f4")
    zeros = np.fromfile(path("zero_points"), dtype="i1")
    scale, zero = float(scales[0]), int(zeros[0])
    x = torch.from_numpy(values)
    s, z = torch.from_numpy(scales), torch.from_numpy(zeros.astype("i8"))
    made = {}
    per_tensor = torch.quantize_per_tensor(x, scale, zero, torch.qint8)
    made["torch-per-tensor"] = per_tensor.int_repr()
    made["torch-per-tensor-u8"] = torch.quantize_per_tensor(
        x, scale, zero + 128, torch.quint8
    ).int_repr()
    made["torch-dequantized"] = per_tensor.dequantize()
    rows, columns = x.view(len(scales), -1), x.view(-1, len(scales))
    axis_0 = torch.quantize_per_channel(rows, s, z, 0, torch.qint8)
    made["torch-axis-0"] = axis_0.int_repr()
    made["torch-axis-0-dequantized"] = axis_0.dequantize()
    made["torch-axis-1"] = torch.quantize_per_channel(columns, s, z, 1, torch.qint8).int_repr()
    made["torch-f16"] = x.to(torch.float16).view(torch.int16)
    made["torch-bf16"] = x.to(torch.bfloat16).view(torch.int16)
    inverse = np.float32(1.0) / np.float32(scale)
    made["numpy-per-tensor"] = np.clip(np.rint(values * inverse) + zero, -128, 127).astype("i1")
    for name, made_values in made.items():
        np.asarray(made_values).tofile(path(name))
    print(json.dumps(list(made)))


def values():
    return np.sin(np.arange(N, dtype="f4") * np.float32(0.37))


def torch_quantize(case):
    torch = torch_module()
    x = torch.from_numpy(values())
    scales, zeros = torch.full((COLUMNS,), SCALE), torch.zeros(COLUMNS, dtype=torch.int64)
    if case == "per-tensor":
        return lambda: torch.quantize_per_tensor(x, SCALE, 0, torch.qint8)
    if case == "axis-0":
        x = x.view(COLUMNS, -1)
        return lambda: torch.quantize_per_channel(x, scales, zeros, 0, torch.qint8)
    if case == "axis-1":
        x = x.view(-1, COLUMNS)
        return lambda: torch.quantize_per_channel(x, scales, zeros, 1, torch.qint8)
    if case == "f16":
        return lambda: x.to(torch.float16)
    if case == "bf16":
        return lambda: x.to(torch.bfloat16)
    codes = torch.quantize_per_tensor(x, SCALE, 0, torch.qint8)
    return lambda: codes.dequantize()


def torch_linear(n):
    torch = torch_module()
    from torch.ao.nn.quantized.dynamic import Linear

    x, layer = torch.rand(n, n), torch.nn.Linear(n, n)
    layer.qconfig = torch.ao.quantization.default_dynamic_qconfig
    quantised = Linear.from_float(layer)

    def run():
        with torch.no_grad():
            return quantised(x)

    return run


def numpy_quantize(_case):
    x, inverse = values(), np.float32(1 / SCALE)
    return lambda: np.clip(np.rint(x * inverse), -128, 127).astype("i1")


def faiss_encode(_case):
    import faiss

    faiss.omp_set_num_threads(1)
    rows = values().reshape(-1, 128)
    codec = faiss.ScalarQuantizer(128, faiss.ScalarQuantizer.QT_8bit)
    codec.train(rows)
    return lambda: codec.compute_codes(rows)


def onnx(node, inputs, output, n, more):
    """A graph of one node on one thread; what is constant may be packed before."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    weights = rng.integers(-127, 128, (n, n), dtype="i1")
    constants = [numpy_helper.from_array(weights, "w")]
    constants += [numpy_helper.from_array(value, name) for name, value in more.items()]
    types = {"u8": TensorProto.UINT8, "i32": TensorProto.INT32, "f32": TensorProto.FLOAT}
    graph = helper.make_graph(
        [helper.make_node(*node)],
        "product",
        [helper.make_tensor_value_info("x", types[inputs], [n, n])],
        [helper.make_tensor_value_info("y", types[output], [n, n])],
        constants,
    )
    versions = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=versions)
    model.ir_version = 8
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    codes = rng.integers(0, 256, (n, n), dtype="u1")
    feed = {"x": codes if inputs == "u8" else codes.astype("f4") / 255}
    return lambda: session.run(None, feed)


def onnx_case(what):
    """u8 · i8 to i32; to f32 with scales and a bias; and of f32, which becomes u8 on the way."""
    *kind, n = what.split("/")
    n, zero = int(n), np.uint8(128)
    if not kind:
        node = ("MatMulInteger", ["x", "w", "z"], ["y"])
        return onnx(node, "u8", "i32", n, {"z": zero})
    scales = {"t": np.full(n, 0.01, "f4"), "b": np.full(n, 0.1, "f4"), "v": np.zeros(n, "i1")}
    if kind == ["values"]:
        node = ("MatMulIntegerToFloat", ["x", "w", "s", "t", "z", "v", "b"], ["y"])
        more = {"s": np.float32(0.01), "z": zero, **scales}
        return onnx(node + (None, None, "com.microsoft"), "u8", "f32", n, more)
    node = ("DynamicQuantizeMatMul", ["x", "w", "t", "v", "b"], ["y"])
    return onnx(node + (None, None, "com.microsoft"), "f32", "f32", n, scales)


def case(name):
    library, what = name.split("/", 1)
    if library == "numpy":
        return numpy_quantize(what)
    if library == "faiss":
        return faiss_encode(what)
    if library == "onnxruntime":
        return onnx_case(what)
    if what.startswith("linear/"):
        return torch_linear(int(what.split("/")[1]))
    return torch_quantize(what)


def median(run):
    for _ in range(3):
        run()
    times, end = [], time.perf_counter() + 0.5
    while len(times) < 15 or (time.perf_counter() < end and len(times) < 1000):
        start = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - start)
    return float(np.median(times))


def speed(names):
    found = {}
    for name in names:
        try:
            found[name] = median(case(name))
        except (ImportError, AttributeError, RuntimeError) as error:
            print(f"{name}: {error}", file=sys.stderr)
    print(json.dumps(found))


if sys.argv[1] == "codes":
    codes(sys.argv[2])
else:
    speed(sys.argv[2:])
