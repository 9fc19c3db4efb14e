"""The wheel holds the tree and nothing else, and works alone."""

import email
import email.message
import importlib.metadata
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import portable_losses

ROOT = Path(__file__).parents[2]
HOMES = {"portable_losses": "portable_losses", "backends": "portable_losses/backends"}
EXTRAS = {"numpy", "torch", "jax", "cupy", "dask", "examples", "fast", "all"}


class Built(NamedTuple):
    """The sdist and the wheel that was made from it."""

    sdist: Path
    wheel: Path


def run(*command: object, cwd: Path) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tracked(folder: str) -> Iterator[str]:
    """Files of `folder` that git has or would take, as paths below it."""
    if (ROOT / ".git").exists():
        options = ["--cached", "--others", "--exclude-standard", "-z"]
        listed = run("git", "ls-files", *options, "--", folder, cwd=ROOT).split("\0")
        paths = [ROOT / name for name in listed if name]
    else:  # an unpacked sdist holds what git had
        paths = [p for p in (ROOT / folder).rglob("*") if "__pycache__" not in p.parts]
    yield from (p.relative_to(ROOT / folder).as_posix() for p in paths if p.is_file())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="module")
def shipped(built: Built) -> set[str]:
    with zipfile.ZipFile(built.wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def metadata(built: Built) -> email.message.Message:
    with zipfile.ZipFile(built.wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def python(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a fresh environment with the wheel, array_api_compat, NumPy and nothing else."""
    place = tmp_path_factory.mktemp("alone")
    venv.create(place, with_pip=False)
    (python,) = [*place.glob("bin/python"), *place.glob("Scripts/python.exe")]
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-I", "-c", code, cwd=place).strip())
    for distribution in ("array-api-compat", "numpy"):  # copied: a test needs no network
        copy_distribution(distribution, packages)
    pip = [sys.executable, "-m", "pip", "--python", python, "install"]
    run(*pip, "--quiet", "--no-index", "--no-deps", built.wheel, cwd=place)
    return python


def copy_distribution(name: str, packages: Path) -> None:
    for file in importlib.metadata.files(name) or ():
        if ".." not in file.parts and not {"tests", "__pycache__"} & set(file.parts):
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(str(file.locate())), target)


def test_the_wheel_has_one_top_level_name(shipped: set[str]) -> None:
    assert {name.partition("/")[0] for name in shipped} == {"portable_losses"}


def test_the_wheel_holds_every_file_of_the_tree_and_no_other(shipped: set[str]) -> None:
    tree = {f"{home}/{name}" for folder, home in HOMES.items() for name in tracked(folder)}
    assert shipped == tree


def test_the_wheel_tells_type_checkers_that_it_is_typed(shipped: set[str]) -> None:
    assert "portable_losses/py.typed" in shipped


def test_the_wheel_names_its_version_and_its_extras(metadata: email.message.Message) -> None:
    assert metadata["Version"] == portable_losses.__version__
    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS


def test_the_wheel_needs_array_api_compat_alone(metadata: email.message.Message) -> None:
    always = [need for need in metadata.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert [need.partition("<")[0].partition(">")[0] for need in always] == ["array-api-compat"]


def test_the_sdist_can_be_tested(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "Makefile", "constraints.txt"} <= names
    assert {"tests/install/test_wheel.py", "backends/README.md", "CHANGELOG.md"} <= names


def test_the_wheel_alone_computes(python: Path, tmp_path: Path) -> None:
    code = (
        "import numpy as np, portable_losses as pl\n"
        "print(pl.softplus(np.asarray([0.0, 1000.0])).tolist())"
    )
    assert run(python, "-I", "-c", code, cwd=tmp_path) == "[0.6931471805599453, 1000.0]\n"


def test_the_backends_are_found_in_the_installed_copy(python: Path, tmp_path: Path) -> None:
    code = (
        "import numpy as np, portable_losses as pl\n"
        "from portable_losses._backend import backend_of\n"
        "from portable_losses.backends import numpy as ours\n"
        "assert backend_of(np) is ours.BACKEND\n"
        "print(pl.__file__, ours.__file__, sep='\\n')"
    )
    files = [Path(line) for line in run(python, "-I", "-c", code, cwd=tmp_path).splitlines()]
    package = files[0].parent
    assert package.is_relative_to(python.parents[1])
    assert files[1] == package / "backends" / "numpy.py"


def test_the_installed_copy_has_no_second_path(python: Path, tmp_path: Path) -> None:
    # the root of a checkout is on the package's path; an installed package has no such thing
    code = "import portable_losses._backend, portable_losses; print(len(portable_losses.__path__))"
    assert run(python, "-I", "-c", code, cwd=tmp_path) == "1\n"
