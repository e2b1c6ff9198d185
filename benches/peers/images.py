"""What OpenCV needs for an image operation, on one thread, as nanoseconds.

usage: images.py gray|threshold|z-score|resize-bilinear|resize-area|resize-area-200

Prints the median of many calls into memory that is there already.
"""

import statistics
import sys
import time

import cv2
import numpy as np

SIDE = 512


def main(what):
    cv2.setNumThreads(1)
    random = np.random.default_rng(1)
    rgba = random.integers(0, 256, (SIDE, SIDE, 4), dtype=np.uint8)
    gray = np.ascontiguousarray(rgba[:, :, 0])
    floats = gray.astype(np.float32)
    one, to = np.empty_like(gray), np.empty_like(floats)
    half, large = np.empty((256, 256, 4), np.uint8), np.empty((768, 768, 4), np.uint8)
    small = np.empty((200, 200, 4), np.uint8)

    def z_score():
        mean, deviation = cv2.meanStdDev(floats)
        factor = 1 / (deviation[0, 0] + 1e-8)
        cv2.addWeighted(floats, factor, floats, 0, -mean[0, 0] * factor, to)

    run = {
        "gray": lambda: cv2.cvtColor(rgba, cv2.COLOR_RGBA2GRAY, one),
        "threshold": lambda: cv2.threshold(gray, 127, 255, cv2.THRESH_BINARY, one),
        "z-score": z_score,
        "resize-bilinear": lambda: cv2.resize(rgba, (768, 768), large, interpolation=cv2.INTER_LINEAR),
        "resize-area": lambda: cv2.resize(rgba, (256, 256), half, interpolation=cv2.INTER_AREA),
        "resize-area-200": lambda: cv2.resize(rgba, (200, 200), small, interpolation=cv2.INTER_AREA),
    }[what]
    times, end = [], time.perf_counter() + 0.5
    while time.perf_counter() < end:
        start = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - start)
    print(statistics.median(times))


main(sys.argv[1])
