"""What another library makes of a product of f32 matrices on one thread, in operations per second.

usage: products.py numpy|torch|onnxruntime ROWS STEPS COLUMNS

numpy multiplies with the OpenBLAS that its wheels carry, torch with MKL; onnxruntime is given the
second matrix as a constant, which lets it be packed before. Prints the best of many calls.
"""

import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np


def by_numpy(a, b):
    c = np.empty((a.shape[0], b.shape[1]), np.float32)
    return lambda: np.matmul(a, b, out=c)


def by_torch(a, b):
    import torch

    torch.set_num_threads(1)
    a, b = torch.from_numpy(a), torch.from_numpy(b)
    c = torch.empty(a.shape[0], b.shape[1])
    return lambda: torch.matmul(a, b, out=c)


def by_onnxruntime(a, b):
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    shapes = [list(a.shape), [a.shape[0], b.shape[1]]]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, shapes[0])],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, shapes[1])],
        [numpy_helper.from_array(b, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"a": a})


def main(library, m, k, n):
    rng = np.random.default_rng(1)
    a = rng.uniform(-1, 1, (m, k)).astype(np.float32)
    b = rng.uniform(-1, 1, (k, n)).astype(np.float32)
    run = {"numpy": by_numpy, "torch": by_torch, "onnxruntime": by_onnxruntime}[library](a, b)
    work = 2 * m * k * n
    repeat, best = max(1, round(1e8 / work)), float("inf")
    run()
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(repeat):
            run()
        best = min(best, (time.perf_counter() - start) / repeat)
    print(work / best)


main(sys.argv[1], *map(int, sys.argv[2:]))
