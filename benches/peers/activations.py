"""What PyTorch needs for an activation or the range of 4,096 values, on one thread, as nanoseconds.

usage: activations.py exp|tanh|sigmoid|gelu|softmax|min-max

The result goes to memory that is there already. Prints the least of many runs of 200 calls, by call;
the way of a call from Python into the kernel is a part of it.
"""

import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import torch

N, CALLS = 4096, 200


def main(what):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    x = torch.rand(N) * 16 - 8
    out = torch.empty_like(x)
    ends = (torch.empty(()), torch.empty(()))
    run = {
        "exp": lambda: torch.exp(x, out=out),
        "tanh": lambda: torch.tanh(x, out=out),
        "sigmoid": lambda: torch.sigmoid(x, out=out),
        "gelu": lambda: torch.ops.aten.gelu.out(x, approximate="none", out=out),
        "softmax": lambda: torch.softmax(x, 0, out=out),
        "min-max": lambda: torch.aminmax(x, out=ends),
    }[what]
    least, end = float("inf"), time.perf_counter() + 0.5
    with torch.inference_mode():
        while time.perf_counter() < end:
            start = time.perf_counter_ns()
            for _ in range(CALLS):
                run()
            least = min(least, (time.perf_counter_ns() - start) / CALLS)
    print(least)


main(sys.argv[1])
