#!/usr/bin/env python3
"""Makes this folder's sample from the full set (see README.md): make.py DIRECTORY."""

import json
import re
import struct
import sys
from pathlib import Path

BASE, QUERY, DIM = 2000, 100, 384
SENTENCE_END = re.compile(r"(?<!\bImpl)\. ")  # one synopsis abbreviates


def rows(path, count):
    """The first `count` vectors of an .fvecs file: an i32 dimension and that many f32 each."""
    with open(path, "rb") as file:
        for _ in range(count):
            (dim,) = struct.unpack("<i", file.read(4))
            assert dim == DIM, f"{path}: {dim} dimensions, expected {DIM}"
            yield struct.unpack(f"<{dim}f", file.read(4 * dim))


def half(vectors):
    return b"".join(struct.pack(f"<{DIM}e", *vector) for vector in vectors)


def synopses(path, count):
    """Package name and one-line synopsis; the long description stays where it is."""
    with open(path, encoding="utf-8") as file:
        for _, line in zip(range(count), file):
            name, text = line.rstrip("\n").split(": ", 1)
            yield f"{name}\t{SENTENCE_END.split(text)[0].rstrip('.')}\n"


source = Path(sys.argv[1])
tensors = {
    "base": (BASE, half(rows(source / "debian10k_base.fvecs", BASE))),
    "query": (QUERY, half(rows(source / "debian10k_query.fvecs", QUERY))),
}
header, offset = {"__metadata__": {"source": "see README.md beside this file"}}, 0
for name, (count, data) in tensors.items():
    header[name] = {
        "dtype": "F16",
        "shape": [count, DIM],
        "data_offsets": [offset, offset + len(data)],
    }
    offset += len(data)
head = json.dumps(header, separators=(",", ":")).encode()
head += b" " * (-len(head) % 8)
with open("vectors.safetensors", "wb") as out:
    out.write(struct.pack("<Q", len(head)) + head)
    for _, data in tensors.values():
        out.write(data)
for name, count in [("base", BASE), ("query", QUERY)]:
    with open(f"{name}.tsv", "w", encoding="utf-8") as out:
        out.writelines(synopses(source / f"debian10k_{name}.txt", count))
