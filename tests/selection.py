"""Which tests run: the options ``--library`` and ``--family`` of tests/conftest.py, and a part.

A law with many cases takes every second one, as the white fields of a chess board: a row that one
library takes is left to the next one, and so with its dtypes. One with very many takes every fifth.
``make test-all`` takes all.
"""

from collections import defaultdict
from functools import cache
from typing import Any

import pytest

from tests import rows
from tests.libraries import EVERY_ROW, EVERYWHERE, Library

__all__ = ["add_options", "deselect"]

#: The arguments of a test that name its array library.
ARGUMENTS = ("library", "every_library", "array_library")
PACKAGES = sorted({one.package for one in EVERYWHERE})
MANY, VERY_MANY = 32, 96  # cases of a law
WHOLE = ("install", "objectives", "repository")  # folders: what is there is no law over a table
FAMILIES = {family.__name__.rpartition(".")[2]: family for family in rows.FAMILIES}


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("portable_losses")
    group.addoption(
        "--library",
        action="append",
        default=[],
        metavar="NAMES",
        help=f"only the tests of these array libraries: {', '.join(PACKAGES)}",
    )
    group.addoption(
        "--family", metavar="NAME", help="only the tests of the rows in tests/rows/NAME.py"
    )


def deselect(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out of `items` what the options leave out."""
    given: list[str] = config.getoption("library") or []
    libraries = {name for names in given for name in names.split(",")}
    family: str | None = config.getoption("family")
    for option, names, known in (
        ("--library", libraries, PACKAGES),
        ("--family", set() if family is None else {family}, FAMILIES),
    ):
        if unknown := names - set(known):
            msg = f"`{option}` must be one of {', '.join(known)}, got {', '.join(sorted(unknown))}"
            raise pytest.UsageError(msg)
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    others = set[int]() if EVERY_ROW or family is not None else black_fields(items)
    for item in items:
        elsewhere = libraries and package_of(item) not in {None, *libraries}
        stays = not elsewhere and id(item) not in others and (family is None or takes(item, family))
        (kept if stays else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def black_fields(items: list[pytest.Item]) -> set[int]:
    """Return the ids of the cases that long laws leave out.

    The board has a side for each argument, and as many colours as the law has shares: a case has
    the colour of the sum of its arguments' places. Where a law's list has no such colours, cases
    are counted.
    """
    laws: defaultdict[tuple[Any, str], list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.path.parent.name not in WHOLE:
            laws[item.path, getattr(item, "originalname", item.name)].append(item)
    black: set[int] = set()
    for cases in laws.values():
        shares = 5 if len(cases) >= VERY_MANY else 2 if len(cases) >= MANY else 1
        places: defaultdict[str, dict[Any, int]] = defaultdict(dict)
        colours = [
            sum(
                places[name].setdefault(key_of(value), len(places[name]))
                for name, value in arguments_of(item).items()
            )
            % shares
            for item in cases
        ]
        if not 0.75 < colours.count(0) * shares / len(cases) < 1.25:
            colours = [place % shares for place in range(len(cases))]
        black.update(id(item) for item, colour in zip(cases, colours, strict=True) if colour)
    return black


def key_of(value: Any) -> Any:
    """Return what an argument is told from others by; those of a list may not be hashable."""
    if isinstance(value, Library):
        return value.name
    return value if isinstance(value, (str, int, float)) else id(value)


def arguments_of(item: pytest.Item) -> dict[str, Any]:
    """Return what a test is parametrised with."""
    call = getattr(item, "callspec", None)
    return {} if call is None else call.params


def package_of(item: pytest.Item) -> str | None:
    """Return the library that a test is about: its argument, or its file in tests/interop/."""
    for name, value in arguments_of(item).items():
        if name in ARGUMENTS:
            return value.package if isinstance(value, Library) else value.partition(".")[0]
    name = item.path.stem.removeprefix("test_")
    about = item.path.parent.name == "interop"  # test_jax.py, test_jax_sharding.py
    return next((one for one in PACKAGES if name.startswith(one)), name) if about else None


@cache
def objects_of(family: str) -> tuple[set[int], set[str]]:
    """Return what the rows of a family are known by in tests: themselves and functions, names."""
    objects: list[Any] = []
    for name, entries in vars(FAMILIES[family]).items():
        for entry in entries if name.isupper() and isinstance(entries, list) else ():
            several = getattr(entry, "rows", [getattr(entry, "row", None)])
            objects += [entry, *several, getattr(entry, "function", None)]
            objects += [entry[0] if isinstance(entry, tuple) else str(entry)]
    return {id(one) for one in objects if one is not None}, {
        x for x in objects if isinstance(x, str)
    }


def takes(item: pytest.Item, family: str) -> bool:
    """Say whether a test is parametrised with something of a family."""
    objects, names = objects_of(family)
    given = arguments_of(item).values()
    return any(x in names if isinstance(x, str) else id(x) in objects for x in given)
