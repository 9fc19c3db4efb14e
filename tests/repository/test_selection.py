"""The options --library and --family: what they leave of the tests."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import portable_losses as pl
from tests import selection
from tests.libraries import named
from tests.rows import robust

HERE = Path("tests/laws/test_functions.py")


def item(name: str, path: Path = HERE, **params: Any) -> Any:
    return SimpleNamespace(name=name, path=path, callspec=SimpleNamespace(params=params))


ITEMS: list[Any] = [
    item("numpy", library=named("numpy"), sample=robust.ROWS[0]),
    item("numpy, read-only", library=named("numpy, read-only"), loss=pl.huber_loss),
    item("jax", every_library=named("jax").on_tape(), curve=robust.POINTWISE[0]),
    item("dask", array_library="dask.array", case="log_cosh at 1e-3"),
    item("double", library=named("double"), sample=robust.POINTWISE[0].rows[0]),
    item("of a file", Path("tests/interop/test_torch.py")),
    item("of none", loss=pl.pseudo_huber_loss),
    SimpleNamespace(name="alone", path=HERE),
]


def left(libraries: list[str], family: str | None = None) -> list[str]:
    """The names of the items that stay."""
    items, gone = list(ITEMS), list[Any]()
    config: Any = SimpleNamespace(
        getoption={"library": libraries, "family": family}.get,
        hook=SimpleNamespace(pytest_deselected=lambda items: gone.extend(items)),
    )
    selection.deselect(config, items)
    assert len(items) + len(gone) == len(ITEMS)
    return [one.name for one in items]


@pytest.mark.parametrize(
    ("libraries", "names"),
    [
        ([], [one.name for one in ITEMS]),
        (["numpy"], ["numpy", "numpy, read-only", "of none", "alone"]),
        (["jax,dask"], ["jax", "dask", "of none", "alone"]),
        (["torch", "double"], ["double", "of a file", "of none", "alone"]),
    ],
)
def test_the_tests_of_a_library_and_those_of_none_stay(
    libraries: list[str], names: list[str]
) -> None:
    assert left(libraries) == names


def test_what_takes_a_row_of_the_family_stays() -> None:
    assert left([], "robust") == ["numpy", "jax", "dask", "double", "of none"]
    assert left(["numpy"], "robust") == ["numpy", "of none"]


@pytest.mark.parametrize(("libraries", "family"), [(["nump"], None), ([], "robusts")])
def test_an_unknown_name_is_an_error(libraries: list[str], family: str | None) -> None:
    with pytest.raises(pytest.UsageError, match=r"must be one of .*, got (nump|robusts)$"):
        left(libraries, family)


def test_a_long_law_takes_each_row_on_every_second_library_in_one_of_two_dtypes() -> None:
    libraries = [named(name) for name in ("numpy", "torch")]
    cases = [
        item("law", library=library, row=row, dtype=dtype)
        for library in libraries
        for row in range(1000, 1020)
        for dtype in ("float32", "float64")
    ]
    black = selection.black_fields(cases)
    white = [selection.arguments_of(case) for case in cases if id(case) not in black]
    assert len(white) == 40
    assert len({(case["library"].name, case["row"]) for case in white}) == 40
    assert len({(case["dtype"], case["row"]) for case in white}) == 40


@pytest.mark.parametrize(("number", "kept"), [(31, 31), (40, 20), (120, 24)])
def test_a_short_law_is_whole_and_a_long_one_has_its_share(number: int, kept: int) -> None:
    rows = [item("law", row=1000 + i) for i in range(number)]
    pairs = [item("law", row=1000 + i, again=2000 + i) for i in range(number)]  # sums are even
    assert number - len(selection.black_fields(rows)) == kept
    assert number - len(selection.black_fields(pairs)) == kept
