"""``python -m portable_losses``: what a report of a bug should say about this installation."""

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from platform import machine, platform, python_implementation, python_version
from sys import stdout

from portable_losses import __version__
from portable_losses._environment import kernels_are_off

# By distribution, as an installer knows them; what has several is found under the first.
_LIBRARIES = {
    "array-api-compat": ("array-api-compat",),
    "NumPy": ("numpy",),
    "PyTorch": ("torch",),
    "JAX": ("jax",),
    "CuPy": ("cupy-cuda12x", "cupy-cuda13x", "cupy-cuda11x", "cupy"),
    "Dask": ("dask",),
    "array-api-strict": ("array-api-strict",),
    "llvmlite": ("llvmlite",),
    "Triton": ("triton",),
}


def main() -> None:
    """Print the versions, whether formulas become machine code, and the number of threads."""
    lines = [*_lines()]
    width = max(len(name) for name, _ in lines)
    stdout.write("".join(f"{name:<{width}}  {value}\n" for name, value in lines))


def _lines() -> Iterator[tuple[str, str]]:
    """Return names and values; no array library is imported to tell its version."""
    yield "portable_losses", __version__
    yield "Python", f"{python_version()} ({python_implementation()})"
    yield "system", f"{platform()} ({machine()})"
    for name, distributions in _LIBRARIES.items():
        yield name, _version_of(distributions) or "not installed"
    yield "kernels", _kernels()
    yield "threads", _threads()


def _version_of(distributions: tuple[str, ...]) -> str | None:
    """Return the version of the first of the distributions that is installed."""
    for name in distributions:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def _kernels() -> str:
    """Say which kernels there are."""
    try:
        off = kernels_are_off()
    except ValueError as error:
        return str(error)
    if off:
        return "off (PORTABLE_LOSSES_KERNELS)"
    if _version_of(("llvmlite",)):
        return "compiled (llvmlite)"
    return "not compiled: pip install 'portable-losses[fast]'"


def _threads() -> str:
    """Return the number of threads that large arrays are shared by."""
    blocks = import_module("portable_losses.backends.kernels.machine.blocks")
    try:
        return str(blocks.workers())
    except ValueError as error:
        return str(error)


if __name__ == "__main__":
    main()
