"""Trees of our objectives beside those of XGBoost's and LightGBM's own: ``docs/objectives.md``.

``python -m benchmarks.objectives`` prints how far the two are from each other on real data, and
what a round costs at a million rows. LightGBM's part runs where it is installed.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits

import portable_losses as pl
from portable_losses import objectives

Options = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One of our losses, and what the libraries call theirs."""

    loss: Callable[..., Any]
    labels: str  # a column of `Data`
    xgboost: str | None
    lightgbm: str | None
    options: Options = field(default_factory=dict)
    theirs: Options = field(default_factory=dict)  # parameters of their objective alone
    refits: bool = False  # their objective sets the leaves anew, so trees differ


CASES = [
    Case(pl.mse_loss, "number", "reg:squarederror", "regression"),
    Case(pl.binary_cross_entropy_with_logits, "binary", "binary:logistic", "binary"),
    Case(pl.gamma_deviance_loss, "positive", "reg:gamma", "gamma"),
    Case(pl.tweedie_deviance_loss, "count", "reg:tweedie", "tweedie", {"power": 1.5}),
    Case(pl.poisson_deviance_loss, "count", "count:poisson", "poisson"),
    Case(pl.cross_entropy, "class", "multi:softprob", "multiclass"),
    Case(pl.pseudo_huber_loss, "number", "reg:pseudohubererror", None),
    Case(pl.huber_loss, "number", None, "huber", {"delta": 0.9}),
    Case(pl.l1_loss, "number", "reg:absoluteerror", "regression_l1", refits=True),
    Case(
        pl.quantile_loss,
        "number",
        "reg:quantileerror",
        "quantile",
        {"q": 0.8},
        {"quantile_alpha": 0.8, "alpha": 0.8},
        refits=True,
    ),
]
CLASSES = 3


@dataclass(frozen=True)
class Data:
    """Features, and labels of each kind."""

    name: str
    features: Any
    labels: dict[str, Any]
    weights: Any

    def classes(self, labels: str) -> int:
        """Return how many classes there are, 0 where labels are no classes."""
        return int(np.max(self.labels[labels])) + 1 if labels == "class" else 0


def synthetic(count: int = 2000, columns: int = 8) -> Data:
    """Return labels of a smooth function of the features, with noise of each kind."""
    random: Any = np.random.default_rng(0)
    x: Any = random.normal(size=(count, columns)).astype(np.float32)
    z = x[:, 0] + 0.5 * x[:, 1] * x[:, 2]
    return Data(
        "synthetic",
        x,
        {
            "number": z + 0.3 * random.normal(size=count),
            "binary": (random.random(count) < 1 / (1 + np.exp(-z))).astype(np.float64),
            "count": random.poisson(np.exp(z)).astype(np.float64),
            "positive": random.gamma(2, np.exp(z) / 2) + 1e-3,
            "class": np.digitize(z, [-0.5, 0.5]).astype(np.float64),
        },
        random.random(count) + 0.5,
    )


def houses(count: int = 20640) -> Data:
    """Return districts such as California's: eight skewed features, prices in 100,000 dollars."""
    random: Any = np.random.default_rng(1)
    income = random.gamma(4, 1, size=count)
    age = random.integers(1, 53, size=count)
    rooms = random.lognormal(1.65, 0.3, size=count)
    bedrooms = rooms / random.uniform(4, 6, size=count)
    people = random.lognormal(7, 0.7, size=count)
    household = random.lognormal(1.05, 0.25, size=count)
    place = random.uniform([32.5, -124.3], [42.0, -114.3], size=(count, 2))
    coast = np.exp(-np.abs(place[:, 1] + 119 + (place[:, 0] - 36) * 0.9))
    price = 0.42 * income + 1.2 * coast - 0.3 * (household - 2.8) + 0.004 * age
    price = np.clip(price * random.lognormal(0, 0.25, size=count), 0.15, 5.0)
    x = np.column_stack([income, age, rooms, bedrooms, people, household, place])
    counts = np.round(10 * price)
    labels = {
        "number": price,
        "binary": (price > np.median(price)).astype(np.float64),
        "count": counts,
        "positive": price,
        "class": np.digitize(price, [1.2, 2.5]).astype(np.float64),
    }
    return Data("houses", x.astype(np.float32), labels, random.random(count) + 0.5)


def real() -> list[Data]:
    """Return breast cancer and digits, with those labels that they have."""
    cancer: Any = load_breast_cancer()
    digits: Any = load_digits()
    random = np.random.default_rng(2)

    def one(name: str, found: Any, **labels: Any) -> Data:
        weights = random.random(len(found.data)) + 0.5
        return Data(name, found.data.astype(np.float32), labels, weights)

    size = cancer.data[:, 0]
    return [
        one(
            "breast cancer",
            cancer,
            binary=cancer.target.astype(np.float64),
            number=size,
            positive=cancer.data[:, 3],
        ),
        one("digits", digits, **{"class": digits.target.astype(np.float64)}),
    ]


# ---- two boosters, one of each objective ---------------------------------------------------------
@dataclass(frozen=True)
class Pair:
    """Scores of both boosters, and whether all their trees split alike."""

    ours: Any
    theirs: Any
    same_splits: bool
    ours_loss: float
    theirs_loss: float

    def distance(self) -> float:
        """Return the largest difference of scores, as a share of the largest score."""
        return float(np.max(np.abs(self.ours - self.theirs)) / np.max(np.abs(self.theirs)))


def by_xgboost(case: Case, data: Data, *, rounds: int, weighted: bool) -> Pair:
    """Train with XGBoost's own objective and with ours, from one start."""
    xgb = import_module("xgboost")
    weights = data.weights if weighted else None
    matrix = xgb.DMatrix(data.features, data.labels[case.labels], weight=weights)
    objective = objectives.xgboost(case.loss, **case.options)
    start = objective.init_score(matrix)
    shared = {"nthread": 1, "max_depth": 5, "seed": 0, **_classes("num_class", case, data)}
    if case.loss is pl.poisson_deviance_loss:
        shared["max_delta_step"] = 0.7
    base = start if case.labels == "class" else float(objective.predict(np.asarray(start)))
    own = {"objective": case.xgboost, "base_score": base, **case.theirs}
    own.pop("alpha", None)
    theirs = xgb.train({**shared, **own}, matrix, rounds)
    ours = xgb.train({**shared, "base_score": start}, matrix, rounds, obj=objective)
    scores = [one.predict(matrix, output_margin=True) for one in (ours, theirs)]
    labels = matrix.get_label()
    return Pair(
        scores[0],
        scores[1],
        _alike(ours.trees_to_dataframe(), theirs.trees_to_dataframe(), ["Feature", "Split"]),
        objective.mean(scores[0], labels, weights),
        objective.mean(scores[1], labels, weights),
    )


def by_lightgbm(case: Case, data: Data, *, rounds: int, weighted: bool) -> Pair:
    """Train with LightGBM's own objective and with ours, from one start."""
    lgb = import_module("lightgbm")
    weights = data.weights if weighted else None
    labels = data.labels[case.labels]
    objective = objectives.lightgbm(case.loss, **case.options)
    start = np.asarray(objective.init_score(np.asarray(labels, dtype=np.float32), weights))
    shared = {"num_threads": 1, "verbose": -1, "seed": 0, **_classes("num_class", case, data)}
    own = {"objective": case.lightgbm, **case.theirs}
    own.pop("quantile_alpha", None)
    theirs = lgb.train(
        {**shared, **own}, lgb.Dataset(data.features, labels, weight=weights), rounds
    )
    first = np.broadcast_to(start, (len(labels), *start.shape))
    filled = lgb.Dataset(data.features, labels, weight=weights, init_score=np.array(first))
    ours = lgb.train({**shared, "objective": objective}, filled, rounds)
    scores = [start + ours.predict(data.features), theirs.predict(data.features, raw_score=True)]
    columns = ["split_feature", "threshold"]
    return Pair(
        scores[0],
        scores[1],
        _alike(ours.trees_to_dataframe(), theirs.trees_to_dataframe(), columns),
        objective.mean(scores[0], labels, weights),
        objective.mean(scores[1], labels, weights),
    )


def _classes(name: str, case: Case, data: Data) -> Options:
    count = data.classes(case.labels)
    return {name: count} if count else {}


def _alike(ours: Any, theirs: Any, columns: list[str]) -> bool:
    """Say whether two tables of trees have the same splits."""
    return bool(len(ours) == len(theirs) and ours[columns].equals(theirs[columns]))


# ---- speed ---------------------------------------------------------------------------------------
def round_times(count: int, rounds: int) -> list[tuple[str, float, float]]:
    """Return the seconds of a round of XGBoost and LightGBM: our logistic objective, their own."""
    data = synthetic(count, 20)
    labels = data.labels["binary"]
    ours: Any = objectives.xgboost(pl.binary_cross_entropy_with_logits)
    found: list[tuple[str, float, float]] = []
    xgb = import_module("xgboost")
    matrix = xgb.QuantileDMatrix(data.features, labels, nthread=1)
    shared = {"nthread": 1, "max_depth": 6}
    boosters = [
        xgb.Booster({**shared, "base_score": 0.0}, [matrix]),
        xgb.Booster({**shared, "objective": "binary:logistic", "base_score": 0.5}, [matrix]),
    ]
    times: list[list[float]] = [[], []]
    for step in range(rounds):
        for place, fobj in enumerate([ours, None]):
            started = time.process_time()
            boosters[place].update(matrix, step, fobj)
            times[place].append(time.process_time() - started)
    found.append(("XGBoost", *_medians(times)))
    if find_spec("lightgbm"):
        lgb = import_module("lightgbm")
        other: Any = objectives.lightgbm(pl.binary_cross_entropy_with_logits)
        parameters = {"num_threads": 1, "verbose": -1}
        both = [
            lgb.Booster({**parameters, "objective": name}, lgb.Dataset(data.features, labels))
            for name in ("none", "binary")
        ]
        times = [[], []]
        for _ in range(rounds):
            for place, fobj in enumerate([other, None]):
                started = time.process_time()
                both[place].update(fobj=fobj)
                times[place].append(time.process_time() - started)
        found.append(("LightGBM", *_medians(times)))
    return found


def _medians(times: list[list[float]]) -> tuple[float, float]:
    """Return the medians of both, the first round apart."""
    ours, own = (statistics.median(one[1:]) for one in times)
    return ours, own


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.objectives")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the measurement of speed")
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args(arguments)
    libraries: list[tuple[str, Callable[..., Pair]]] = [("xgboost", by_xgboost)]
    if find_spec("lightgbm"):
        libraries.append(("lightgbm", by_lightgbm))
    print("| data | objective | same splits | difference of scores | loss, ours | loss, theirs |")
    print("|---|---|---|---|---|---|")
    for data in (*real(), houses(min(20640, given.rows)), synthetic(given.rows // 50)):
        for case in (case for case in CASES if case.labels in data.labels):
            for library, train in libraries:
                name = getattr(case, library)
                if name is None:
                    continue
                pair = train(case, data, rounds=given.rounds, weighted=False)
                print(
                    f"| {data.name} | {library}: {name} | {'yes' if pair.same_splits else 'no'} "
                    f"| {pair.distance():.1e} | {pair.ours_loss:.6g} | {pair.theirs_loss:.6g} |"
                )
    print(f"\n| a round of {given.rows:,} rows | ours, s | its own, s | quotient |")
    print("|---|---|---|---|")
    for library, ours, own in round_times(given.rows, 7):
        print(f"| {library} | {ours:.3f} | {own:.3f} | {ours / own:.2f} |")


if __name__ == "__main__":
    main()
