"""Which tests run: the options ``--library`` and ``--family`` of tests/conftest.py."""

from functools import cache
from typing import Any

import pytest

from tests import rows
from tests.libraries import EVERYWHERE, Library

__all__ = ["add_options", "deselect"]

#: The arguments of a test that name its array library.
ARGUMENTS = ("library", "every_library", "array_library")
PACKAGES = sorted({one.package for one in EVERYWHERE})
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
    for item in items:
        elsewhere = libraries and package_of(item) not in {None, *libraries}
        stays = not elsewhere and (family is None or takes(item, family))
        (kept if stays else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


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
