"""Programs in plain NumPy, of the kinds that people write, for the tape to differentiate.

Nothing in them is written for a tape: `np` is NumPy itself. The first argument is what is
differentiated by, the others are data. A program that makes arrays of its own (``np.eye(3)``) is
for NumPy alone: no array of one library stands beside one of another.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import special

__all__ = ["PROGRAMS", "Program"]


class Program(NamedTuple):
    """A program, the array that it is differentiated by, and its data."""

    name: str
    function: Callable[..., Any]
    parameters: Any
    data: tuple[Any, ...] = ()
    not_on: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


ROWS = ("array_api_strict",)  # wants every axis in a key: `theta[0, :]` for `theta[0]`
CHUNKS = ("dask",)  # solves and transforms what lies in one piece only
OTHERS = ("array_api_strict", "torch", "jax", "dask", "double")

dice = np.random.default_rng(7)
SERIES = np.cumsum(dice.normal(size=12)) * 0.3
TIMES = np.linspace(0.1, 2.0, 9)
POINTS = dice.normal(size=(6, 2))
LABELS = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
ONE_HOT = np.eye(3)[[0, 2, 1, 1, 0, 2]]
IMAGE = dice.normal(size=(5, 6))


# ---- statistics --------------------------------------------------------------------------------


def kalman_filter(theta: Any, y: Any) -> Any:
    """Log-likelihood of a local linear trend, observed with noise."""
    drift, level, noise = np.exp(theta)
    move = np.array([[1.0, 1.0], [0.0, 1.0]])
    seen = np.array([1.0, 0.0])
    spread = np.diag(np.stack([level, drift]))
    mean, cov, total = np.zeros(2), np.eye(2), 0.0
    for value in y:
        mean, cov = move @ mean, move @ cov @ move.T + spread
        gap, var = value - seen @ mean, seen @ cov @ seen + noise
        gain = cov @ seen / var
        mean, cov = mean + gain * gap, cov - np.outer(gain, seen @ cov)
        total -= 0.5 * (np.log(2 * np.pi * var) + gap**2 / var)
    return total


def gaussian_process(theta: Any, x: Any, y: Any) -> Any:
    """Log marginal likelihood, by Cholesky."""
    scale, length, noise = np.exp(theta)
    gaps = x[:, None] - x[None, :]
    kernel = scale * np.exp(-0.5 * (gaps / length) ** 2) + noise * np.diag(np.ones_like(x))
    root = np.linalg.cholesky(kernel)
    alpha = np.linalg.solve(root.T, np.linalg.solve(root, y))
    return -0.5 * y @ alpha - np.log(np.diag(root)).sum() - len(y) / 2 * np.log(2 * np.pi)


def logistic_regression(w: Any, x: Any, y: Any) -> Any:
    z = x @ w[:-1] + w[-1]
    return np.mean(np.logaddexp(0, z) - y * z) + 0.01 * np.sum(w**2)


def robust_regression(w: Any, x: Any, y: Any) -> Any:
    """Huber's loss, of residuals in units of their median absolute deviation."""
    r = y - np.dot(x, w)
    r = r / (1.4826 * np.median(np.abs(r - np.median(r))))
    small = np.abs(r) <= 1.345
    return np.where(small, 0.5 * r**2, 1.345 * (np.abs(r) - 0.6725)).sum()


def mixture(theta: Any, y: Any) -> Any:
    """Log-likelihood of two Gaussians."""
    means, scales, share = theta[:2], np.exp(theta[2:4]), theta[4]
    logs = -0.5 * ((y[:, np.newaxis] - means) / scales) ** 2 - np.log(scales)
    logs = logs + np.stack([-np.logaddexp(0, -share), -np.logaddexp(0, share)])
    top = np.max(logs, axis=1, keepdims=True)
    return np.sum(np.log(np.sum(np.exp(logs - top), axis=1)) + np.squeeze(top, axis=1))


def hidden_markov(theta: Any, y: Any) -> Any:
    """The forward algorithm in logarithms, three states."""
    moves: Any = np.reshape(theta[:9], (3, 3))
    moves = moves - np.log(np.exp(moves).sum(axis=1, keepdims=True))
    alpha = -0.5 * (y[0] - theta[9:]) ** 2
    for value in y[1:]:
        terms = alpha[:, None] + moves
        top = terms.max(axis=0)
        alpha = top + np.log(np.exp(terms - top).sum(axis=0)) - 0.5 * (value - theta[9:]) ** 2
    return np.log(np.exp(alpha - alpha.max()).sum()) + alpha.max()


def variational(theta: Any, noise: Any, y: Any) -> Any:
    """A lower bound with a full covariance: reparameterized samples, and the entropy by slogdet."""
    mean, root = theta[:2], np.tril(theta[2:].reshape(2, 2))
    draws = mean + noise @ root.T
    fit = -0.5 * np.mean(np.sum((draws[:, None, :] - y) ** 2, axis=(1, 2)))
    return fit + np.linalg.slogdet(root)[1]


def negative_binomial(theta: Any, counts: Any) -> Any:
    """SciPy's special functions in a likelihood."""
    r, p = np.exp(theta[0]), special.expit(theta[1])
    terms = special.gammaln(counts + r) - special.gammaln(r) - special.gammaln(counts + 1)
    return np.sum(terms + r * np.log(p) + counts * np.log1p(-p))


# ---- learning ----------------------------------------------------------------------------------


def perceptron(w: Any, x: Any, targets: Any) -> Any:
    """Two layers by hand, with cross entropy."""
    first, second = np.split(w, [8])
    hidden = np.tanh(x @ first[:6].reshape(2, 3) + first[6])
    out = hidden @ second.reshape(3, 3) - first[7]
    out = out - out.max(axis=1, keepdims=True)
    return -np.mean(
        np.sum(targets * (out - np.log(np.exp(out).sum(axis=1, keepdims=True))), axis=1)
    )


def lstm(w: Any, x: Any) -> Any:
    """One layer with two cells, by hand."""
    weights = w.reshape(4, 8)
    h, c = np.zeros_like(x[0]), np.zeros_like(x[0])
    for step in x:
        gates = np.concatenate([step, h]) @ weights
        i, f, o, g = np.array_split(gates, 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    return np.sum(h**2)


def attention(w: Any, x: Any) -> Any:
    """A layer norm, and attention to what came before."""
    x = (x - np.mean(x, axis=-1, keepdims=True)) / np.sqrt(np.var(x, axis=-1, keepdims=True) + 1e-5)
    q, k, v = np.einsum("ti,nij->ntj", x, w)
    scores = np.matmul(q, np.swapaxes(k, -1, -2)) / np.sqrt(2.0)
    weights = np.tril(np.exp(scores - np.max(scores, axis=-1, keepdims=True)))
    return np.square(np.einsum("ts,sj->tj", weights / weights.sum(-1, keepdims=True), v)).mean()


def factorization(theta: Any, ratings: Any) -> Any:
    u, v = theta[:5], theta[5:]
    known = ratings > 0
    return np.linalg.norm(np.where(known, ratings - u @ v.T, 0.0)) ** 2 + 0.1 * np.vdot(
        theta, theta
    )


def principal_components(w: Any, x: Any) -> Any:
    """How much of the variance two directions of weighted columns hold."""
    x = (x - x.mean(axis=0)) * w
    values = np.linalg.eigvalsh(np.cov(x, rowvar=False))
    return np.log(np.sum(values[-2:])) - np.log(np.trace(np.dot(x.T, x)))


# ---- simulation --------------------------------------------------------------------------------


def predator_and_prey(theta: Any, start: Any, seen: Any) -> Any:
    """A fit of an ordinary differential equation by Runge and Kutta's method."""

    def slope(state: Any) -> Any:
        x, y = state
        return np.stack([theta[0] * x - theta[1] * x * y, theta[2] * x * y - theta[3] * y])

    state, path, h = start, [], 0.2
    for _ in range(len(seen)):
        k1 = slope(state)
        k2 = slope(state + h / 2 * k1)
        k3 = slope(state + h / 2 * k2)
        k4 = slope(state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path.append(state)
    return np.sum((np.vstack(path) - seen) ** 2)


def diffusion(field: Any, target: Any) -> Any:
    """Heat that flows between neighbours on a torus; its gradient in space is punished."""
    for _ in range(4):
        around = sum(np.roll(field, shift, axis) for axis in (0, 1) for shift in (1, -1))
        field = field + 0.1 * (around - 4 * field) + 0.02 * field * (1 - field**2)
    down, right = np.gradient(field)
    return np.mean((field - target) ** 2) + 0.1 * np.mean(np.hypot(down, right))


def planets(start: Any, masses: Any) -> Any:
    """Three bodies, two steps of leapfrog: the kinetic energy."""
    place, speed = start[:3], start[3:]

    def pull(place: Any) -> Any:
        gaps = place[None, :, :] - place[:, None, :]
        cubes = (np.sum(gaps**2, axis=-1) + 0.1) ** 1.5
        return (masses[None, :, None] * gaps / cubes[..., None]).sum(axis=1)

    for _ in range(2):
        speed = speed + 0.05 * pull(place)
        place = place + 0.1 * speed
        speed = speed + 0.05 * pull(place)
    return 0.5 * np.dot(masses, (speed**2).sum(axis=1))


def one_dose(theta: Any, times: Any, seen: Any) -> Any:
    """A drug that is absorbed after a lag: concentrations, and the area under their curve."""
    enter, leave, lag = np.exp(theta)
    after = np.maximum(times - lag, 0)
    level = enter / (enter - leave) * (np.exp(-leave * after) - np.exp(-enter * after))
    return np.sum((level - seen) ** 2) + 0.1 * np.trapezoid(level, times)


def option_price(theta: Any, noise: Any) -> Any:
    """An Asian option by Monte Carlo, beside the European one by the error function."""
    price, spread = theta[0], np.exp(theta[1])
    paths = price * np.exp(np.cumsum(0.1 * spread * noise - 0.005 * spread**2, axis=1))
    d = np.log(price) / spread + spread / 2
    call = price * (1 + special.erf(d / np.sqrt(2))) / 2
    return np.mean(np.clip(np.mean(paths, axis=1) - 0.98, 0, None)) + call


# ---- numbers, signals, geometry ----------------------------------------------------------------


def valleys(x: Any) -> Any:
    """Functions that minimizers are tried on."""
    rosenbrock: Any = np.sum(100.0 * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1 - x[:-1]) ** 2.0)
    ackley = -20 * np.exp(-0.2 * np.sqrt(np.mean(x**2))) - np.exp(np.mean(np.cos(2 * np.pi * x)))
    griewank = np.sum(x**2) / 4000 - np.prod(np.cos(x / np.sqrt(np.arange(1, len(x) + 1))))
    return rosenbrock + ackley + griewank


def portfolio(w: Any, returns: Any) -> Any:
    """The Sharpe ratio of shares that sum to 1, with its sign turned."""
    shares = np.exp(w) / np.sum(np.exp(w))
    spread = np.sqrt(shares.T @ np.cov(returns.T) @ shares)
    return -np.average(returns, axis=0) @ shares / spread


def spline(heights: Any, at: Any, seen: Any) -> Any:
    """A curve through knots, with a penalty on its bends."""
    knots = np.linspace(0.0, 2.0, len(heights))
    gaps = np.interp(at, knots, heights) - seen
    return gaps @ gaps + 0.1 * np.sum(np.diff(heights, n=2) ** 2)


def blur(kernel: Any, image: Any) -> Any:
    """An image filtered by shifts, and once more by Fourier transforms."""
    wide = np.pad(image, 1, mode="edge")
    rows, columns = image.shape
    taps = [wide[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    out = sum(k * tap for k, tap in zip(kernel.ravel(), taps, strict=True))
    there = np.fft.fft2(out) * np.exp(-np.abs(np.fft.fft2(kernel, s=image.shape)))
    return np.mean(np.fft.ifft2(there).real ** 2) + np.std(out)


def kepler(orbit: Any) -> Any:
    """An angle by Newton's method, with a loop that stops where it may."""
    angle, e = orbit
    x = angle
    for _ in range(50):
        step = (x - e * np.sin(x) - angle) / (1 - e * np.cos(x))
        x = x - step
        if abs(step) < 1e-13:
            break
    return np.arctan2(np.sqrt(1 - e**2) * np.sin(x), np.cos(x) - e)


def hinge(angles: Any, arm: Any) -> Any:
    """Two turns of an arm, and the volume that it spans with its turned self."""
    (c, d), (s, t) = np.cos(angles), np.sin(angles)
    first = np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    turn = np.eye(3) + s * first + (1 - c) * first @ first
    other = np.cross(turn @ arm, d * arm + t * np.roll(arm, 1))
    return np.inner(other, arm) / np.linalg.norm(other)


PROGRAMS = [
    Program("Kalman filter", kalman_filter, np.array([-1.0, -2.0, -0.5]), (SERIES,), OTHERS),
    Program(
        "Gaussian process",
        gaussian_process,
        np.array([0.2, -0.5, -2.0]),
        (TIMES, np.sin(TIMES)),
        CHUNKS,
    ),
    Program(
        "logistic regression", logistic_regression, np.array([0.4, -0.3, 0.1]), (POINTS, LABELS)
    ),
    Program("robust regression", robust_regression, np.array([0.4, -0.3]), (POINTS, SERIES[:6])),
    Program("mixture of Gaussians", mixture, np.array([-0.5, 0.8, 0.1, -0.3, 0.2]), (SERIES,)),
    Program("hidden Markov model", hidden_markov, dice.normal(size=12), (SERIES,)),
    Program(
        "variational bound",
        variational,
        dice.normal(size=6),
        (dice.normal(size=(8, 2)), POINTS),
        CHUNKS,
    ),
    Program(
        "negative binomial",
        negative_binomial,
        np.array([0.7, -0.2]),
        (np.array([0.0, 3.0, 1.0, 7.0]),),
    ),
    Program("perceptron", perceptron, dice.normal(size=17), (POINTS, ONE_HOT)),
    Program("LSTM", lstm, dice.normal(size=32), (POINTS,), ROWS),
    Program("attention", attention, dice.normal(size=(3, 3, 3)), (dice.normal(size=(4, 3)),)),
    Program(
        "factorization",
        factorization,
        dice.normal(size=(9, 2)),
        (np.abs(dice.normal(size=(5, 4))),),
        ROWS,
    ),
    Program(
        "principal components",
        principal_components,
        np.array([0.7, 1.2, 0.4, 0.9]),
        (dice.normal(size=(7, 4)),),
        CHUNKS,
    ),
    Program(
        "predator and prey",
        predator_and_prey,
        np.array([1.1, 0.4, 0.2, 0.5]),
        (np.array([2.0, 1.0]), np.ones((5, 2))),
    ),
    Program("diffusion", diffusion, IMAGE, (IMAGE[::-1].copy(),)),
    Program("planets", planets, dice.normal(size=(6, 2)), (np.array([1.0, 0.5, 0.2]),), ROWS),
    Program("one dose", one_dose, np.array([0.8, -0.4, -1.7]), (TIMES, np.exp(-TIMES))),
    Program("option price", option_price, np.array([1.05, -1.2]), (dice.normal(size=(6, 10)),)),
    Program("valleys", valleys, np.array([0.3, -0.4, 1.2]), (), OTHERS),
    Program("portfolio", portfolio, np.array([0.3, -0.2, 0.5]), (dice.normal(size=(9, 3)),)),
    Program(
        "spline",
        spline,
        np.array([0.2, 0.9, 0.4, -0.3, 0.6]),
        (TIMES[:-1], np.cos(TIMES[:-1])),
        OTHERS,
    ),
    Program("image filter", blur, dice.normal(size=(3, 3)), (IMAGE,), CHUNKS),
    Program("Kepler's equation", kepler, np.array([0.9, 0.3]), (), ("double",)),
    Program("hinge", hinge, np.array([0.4, -0.7]), (np.array([0.3, 0.5, -0.8]),), OTHERS),
]
