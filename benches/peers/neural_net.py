"""PyTorch on one thread: samples per second of a 64-128-10 perceptron on the digits, as JSON."""

import json
import sys
import time

import numpy
import torch

ROWS = 1437

torch.set_num_threads(1)
torch.manual_seed(1)
table = numpy.loadtxt(sys.argv[1], delimiter=",", dtype=numpy.float32)[:ROWS]
x = torch.from_numpy(table[:, :64] / 16.0).contiguous()
t = torch.nn.functional.one_hot(torch.from_numpy(table[:, 64]).long(), 10).float()


def network():
    return torch.nn.Sequential(
        torch.nn.Linear(64, 128), torch.nn.Sigmoid(), torch.nn.Linear(128, 10), torch.nn.Sigmoid()
    )


def rate(step, samples, seconds=0.5):
    for _ in range(3):
        step()
    best = 0.0
    for _ in range(3):
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            step()
            done += samples
        best = max(best, done / (time.perf_counter() - start))
    return best


def full_batch():
    model = network()
    optimizer = torch.optim.Rprop(model.parameters(), lr=0.1, step_sizes=(1e-6, 50))

    def step():
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), t).backward()
        optimizer.step()

    return rate(step, ROWS)


def mini_batch():
    model = network()
    optimizer = torch.optim.Adam(model.parameters())

    def epoch():
        order = torch.randperm(ROWS)
        for i in range(0, ROWS, 64):
            rows = order[i : i + 64]
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x[rows]), t[rows]).backward()
            optimizer.step()

    return rate(epoch, ROWS)


def run(rows):
    model = network().eval()
    inputs = x[:rows]
    with torch.inference_mode():
        return rate(lambda: model(inputs), rows)


print(
    json.dumps(
        {
            "full-batch": full_batch(),
            "mini-batch-64": mini_batch(),
            "run-64": run(64),
            "run-1437": run(ROWS),
        }
    )
)
