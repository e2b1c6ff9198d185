"""The reference loop: tabular Q-learning with Gymnasium and NumPy, prints steps per second."""

import time

import gymnasium
import numpy

STEPS = 100_000
ALPHA, GAMMA, EPSILON = 0.1, 0.99, 0.1


def run(env, values, rng):
    state, _ = env.reset()
    start = time.perf_counter()
    for _ in range(STEPS):
        if rng.random() < EPSILON:
            action = int(rng.integers(4))
        else:
            row = values[state]
            action = int(rng.choice(numpy.flatnonzero(row == row.max())))
        following, reward, terminated, truncated, _ = env.step(action)
        future = 0.0 if terminated else values[following].max()
        values[state, action] += ALPHA * (reward + GAMMA * future - values[state, action])
        state = following
        if terminated or truncated:
            state, _ = env.reset()
    return STEPS / (time.perf_counter() - start)


env = gymnasium.make("FrozenLake-v1", map_name="4x4", is_slippery=True)
env.reset(seed=1)
values = numpy.zeros((16, 4))
rng = numpy.random.default_rng(1)
print(max(run(env, values, rng) for _ in range(3)))
