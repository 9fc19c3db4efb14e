"""Ranges of calls, in one process."""

import warnings
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np

from fuzzing.calls import draw
from fuzzing.libraries import load
from fuzzing.oracles import check
from fuzzing.report import Groups
from fuzzing.shrinking import shrunk

__all__ = ["quietly", "run_range", "shrink_all"]


@contextmanager
def quietly() -> Generator[None]:
    """Turn warnings into errors, and let our own arithmetic pass without any."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        yield


def run_range(first: int, last: int, names: list[str]) -> tuple[Groups, Counter[str]]:
    """Run the calls from `first` to before `last`; return what was found, and the counts."""
    for name in names:  # an import may warn
        load(name)
    counts: Counter[str] = Counter()
    groups = Groups()
    only_few = all(load(name).few for name in names)
    with quietly():
        for number in range(first, last):
            if not only_few or number % 4 == 0:
                try:
                    groups.add(check(draw(number), names, counts))
                except Exception as e:
                    msg = f"the fuzzer itself fails at call {number}"
                    raise RuntimeError(msg) from e
    return groups, counts


def shrink_all(groups: Groups, names: list[str], keys: set[tuple[str, str, str]]) -> None:
    """Replace the smallest finding of these groups by one that is smaller still."""
    with quietly():
        for key in keys:
            groups.smallest[key] = shrunk(groups.smallest[key], names)
