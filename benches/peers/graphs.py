"""Recall and speed of other libraries' graph indexes, on one thread, as JSON.

usage: graphs.py hnswlib|faiss|svs|faiss-flat ip|l2 N BASE.fvecs QUERY.fvecs EF [EF ...]

Takes the first N of BASE (SVS, which reads the file itself, all). Builds with M 16 and efConstruction 200 (SVS: Vamana of degree 32 with LVQ8), asks for the ten
nearest of all queries in one call at each ef, five times.
faiss-flat is exact and has no ef: the number is how many queries are asked at once. Prints
{"build": seconds, "bytes": resident growth, "points": [[ef, recall, queries per second], ...]}.
"""

import json
import resource
import sys
import time

import numpy as np

K = 10


def fvecs(path):
    raw = np.fromfile(path, dtype="<i4")
    return np.ascontiguousarray(raw.reshape(-1, raw[0] + 1)[:, 1:].view("<f4"))


def truth(metric, base, queries):
    scores = queries @ base.T
    if metric == "l2":
        scores = 2 * scores - (base * base).sum(axis=1)
    return np.argsort(-scores, axis=1)[:, :K]


def hnswlib(metric, base):
    import hnswlib

    index = hnswlib.Index(space=metric, dim=base.shape[1])
    index.init_index(max_elements=len(base), M=16, ef_construction=200, random_seed=1)
    index.add_items(base, num_threads=1)

    def search(queries, ef):
        index.set_ef(ef)
        return lambda: index.knn_query(queries, k=K, num_threads=1)[0]

    return search


def faiss(metric, base):
    import faiss

    faiss.omp_set_num_threads(1)
    kind = faiss.METRIC_INNER_PRODUCT if metric == "ip" else faiss.METRIC_L2
    index = faiss.IndexHNSWSQ(base.shape[1], faiss.ScalarQuantizer.QT_8bit, 16, kind)
    index.hnsw.efConstruction = 200
    index.train(base)
    index.add(base)

    def search(queries, ef):
        index.hnsw.efSearch = ef
        return lambda: index.search(queries, K)[1]

    return search


def faiss_flat(metric, base):
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(base.shape[1]) if metric == "ip" else faiss.IndexFlatL2(base.shape[1])
    index.add(base)

    def search(queries, batch):
        parts = [queries[i : i + batch] for i in range(0, len(queries), batch)]
        return lambda: np.concatenate([index.search(part, K)[1] for part in parts])

    return search


def svs(metric, base):
    import svs

    kind = svs.DistanceType.MIP if metric == "ip" else svs.DistanceType.L2
    build = svs.VamanaBuildParameters(
        alpha=0.95 if metric == "ip" else 1.2, graph_max_degree=32, window_size=200
    )
    loader = svs.LVQLoader(svs.VectorDataLoader(sys.argv[4], svs.DataType.float32), primary=8)
    index = svs.Vamana.build(build, loader, kind, num_threads=1)

    def search(queries, ef):
        index.search_window_size = ef
        return lambda: index.search(queries, K)[0]

    return search


def main():
    library, metric, n = sys.argv[1:4]
    base, queries = fvecs(sys.argv[4])[: int(n)], fvecs(sys.argv[5])
    right = truth(metric, base, queries)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    makers = {"hnswlib": hnswlib, "faiss": faiss, "svs": svs, "faiss-flat": faiss_flat}
    search = makers[library](metric, base)
    build = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident) * 1024
    points = []
    for ef in map(int, sys.argv[6:]):
        run = search(queries, ef)
        found = run()
        hits = sum(len(set(a) & set(b)) for a, b in zip(found.tolist(), right.tolist()))
        times = []
        for _ in range(5):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        points.append([ef, hits / right.size, len(queries) / min(times)])
    json.dump({"build": build, "bytes": grown, "points": points}, sys.stdout)


main()
