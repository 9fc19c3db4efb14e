"""Installs wheel and sdist, each alone, in fresh environments of every Python: `make alone`.

``python -m tools.try_packages [PYTHON ...]`` takes what lies in dist/ (without arguments: every
Python of this machine that the package supports, on PATH or under pyenv). The wheel goes in without
any array library, then beside NumPy; the sdist beside NumPy at once, which builds it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parents[1]
OLDEST = (3, 11)
BARE = """\
import portable_losses as pl
assert len(pl.__path__) == 1 and pl.nn and pl.optim and pl.autograd
try:
    pl.softplus([0.0])
except ImportError as error:
    assert "numpy" in str(error).lower(), error
else:
    raise AssertionError("a list became an array without NumPy")
"""
CALLS = """\
import numpy as np
import portable_losses as pl
from portable_losses import nn, optim
from portable_losses.autograd import grad, value_and_grad
from portable_losses.backends import numpy as ours

z = np.asarray([[20.0, 0.0], [1000.0, 0.0]], dtype=np.float32)
loss, gradient = value_and_grad(lambda a: pl.cross_entropy(a, [0, 1]))(z)
assert loss == 500.0 and gradient.dtype == np.float32
assert abs(gradient[0, 1] - 1.0305768e-09) < 1e-15
assert pl.softplus(np.asarray([0.0, 1000.0])).tolist() == [0.6931471805599453, 1000.0]
assert grad(lambda x: np.sum(np.sin(x) ** 2))(0.0) == 0.0
assert pl.derivatives(pl.mse_loss, z, z, order=2).hessian[0, 0] == 2.0
layer = nn.Linear(2, 2, xp=np)
step = optim.SGD(layer.parameters(), lr=0.1)
before = nn.CrossEntropyLoss()(layer(z / 1000), [0, 1]).item()
nn.CrossEntropyLoss()(layer(z / 1000), [0, 1]).backward()
step.step()
assert nn.CrossEntropyLoss()(layer(z / 1000), [0, 1]).item() < before
"""


def pythons() -> Iterator[Path]:
    """Yield the interpreters of this machine that the package supports, one of each version."""
    folders = [Path(one) for one in os.environ.get("PATH", "").split(os.pathsep)]
    folders += sorted((Path.home() / ".pyenv" / "versions").glob("*/bin"))
    seen: set[str] = set()
    for place in (path for folder in folders for path in sorted(folder.glob("python3.*"))):
        if place.name.removeprefix("python3.").isdigit() and "shims" not in place.parts:
            code = "import sys; print(sys.version.split()[0], *sys.version_info[:2])"
            said = subprocess.run([place, "-I", "-c", code], capture_output=True, text=True)
            version, *numbers = said.stdout.split() or ["", "0"]
            if tuple(map(int, numbers)) >= OLDEST and version not in seen:
                seen.add(version)
                yield place


def run(*command: object, cwd: Path) -> str:
    """Run a command; say what it printed if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        msg = f"{' '.join(words)[:200]}\n{done.stdout}{done.stderr}"
        raise SystemExit(msg)
    return done.stdout


def environment(python: Path, place: Path) -> Path:
    """Return the Python of a new environment."""
    run(python, "-m", "venv", place, cwd=place.parent)
    (own,) = [*place.glob("bin/python"), *place.glob("Scripts/python.exe")]
    return own


def try_both(python: Path, wheel: Path, sdist: Path) -> None:
    """Install the wheel and the sdist beside this Python, and call what they hold."""
    start = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        quiet = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        for package in (wheel, sdist):
            own = environment(python, place / package.suffix)
            if package is wheel:
                run(own, *quiet, package, cwd=place)
                run(own, "-I", "-c", BARE, cwd=place)
            run(own, *quiet, package, "numpy", cwd=place)
            run(own, "-I", "-W", "error", "-c", CALLS, cwd=place)
            run(own, "-I", "-m", "portable_losses", cwd=place)
        checked = [place / name for name in ("refused.py", "accepted.py")]
        for path in checked:
            path.write_text(
                (ROOT / "tests" / "typed_programs" / path.name).read_text("utf-8"), "utf-8"
            )
        mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", own)
        for _cache in ("cold", "warm"):
            run(*mypy, *checked, cwd=place)
    version = run(python, "-V", cwd=ROOT).strip()
    print(f"{version}: the wheel and the sdist, {perf_counter() - start:.0f} s", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Try every Python."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pythons", nargs="*", type=Path, help="interpreters; without: all")
    given = parser.parse_args(arguments).pythons
    (wheel,), (sdist,) = (ROOT / "dist").glob("*.whl"), (ROOT / "dist").glob("*.tar.gz")
    for python in given or pythons():
        try_both(python, wheel, sdist)


if __name__ == "__main__":
    main()
