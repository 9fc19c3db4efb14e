"""From a module of LLVM to machine code in memory, for this processor.

Where ``PORTABLE_LOSSES_CODE_DIR`` in the environment names a directory, what was compiled is kept
there, for other processes and the next one. A file is of one module for one processor: its name is
a digest of what the module is written from, of the sources that write it, of the processor and of
LLVM's version; it begins with the digest of what follows.
"""

import os
import tempfile
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import llvmlite
from llvmlite import binding

__all__ = ["engine_of", "features", "is_supported"]

WITHOUT = "PORTABLE_LOSSES_CPU_WITHOUT"  # features of the processor, by how their names begin
DIRECTORY = "PORTABLE_LOSSES_CODE_DIR"
DIGEST = sha256().digest_size

binding.initialize_native_target()
binding.initialize_native_asmprinter()


# ---- the processor ------------------------------------------------------------------------------


def features(without: str = "") -> dict[str, bool]:
    """Return what the processor has; what begins with `without` is left out."""
    found = dict(binding.get_host_cpu_features())
    without = without or os.environ.get(WITHOUT, "")
    return {
        name: there and not (without and name.startswith(without)) for name, there in found.items()
    }


def is_supported() -> bool:
    """Say whether the processor multiplies and adds with one rounding, as every formula needs."""
    triple = binding.get_process_triple()
    return triple.startswith(("aarch64", "arm64")) or bool(
        binding.get_host_cpu_features().get("fma")
    )


def _flags(without: str) -> str:
    """Return the features of the processor as LLVM reads them."""
    return ",".join(("+" if on else "-") + name for name, on in features(without).items())


def _machine(without: str = "") -> Any:
    """Return the target machine."""
    target = binding.Target.from_default_triple()
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(), features=_flags(without), opt=2
    )


# ---- modules ------------------------------------------------------------------------------------


def engine_of(
    written: Callable[[], Any], source: Any, without: str = "", *, vectorised: bool = False
) -> Any:
    """Return what holds the machine code of a module, whose loops are of scalars, or of vectors.

    The module is `written` from `source`, whose `repr` says all of it, unless its code is kept.
    Of vectors there is little to do, and all that LLVM offers would take twice as long.
    """
    machine = _machine(without)
    place = _place((source, without, vectorised))
    code = None if place is None else _read(place)
    if code is None:
        engine = binding.create_mcjit_compiler(_optimised(written(), machine, vectorised), machine)
        if place is not None:
            engine.set_object_cache(notify_func=lambda _, made: _write(place, made))
    else:
        engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
        engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _optimised(module: Any, machine: Any, vectorised: bool) -> Any:
    """Return a module of LLVM's own, after the passes that its loops need."""
    module.triple = binding.get_process_triple()
    parsed = binding.parse_assembly(str(module))
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = True
    options.loop_unrolling = options.loop_interleaving = False  # longer, and no quicker
    passes = binding.create_pass_builder(machine, options)
    if vectorised:
        few = binding.create_new_function_pass_manager()
        few.add_simplify_cfg_pass()
        few.add_instruction_combine_pass()
        few.add_new_gvn_pass()
        for function in parsed.functions:
            if not function.is_declaration:
                few.run(function, passes)
    else:
        passes.getModulePassManager().run(parsed, passes)
    return parsed


# ---- what is kept -------------------------------------------------------------------------------


@cache
def _sources() -> str:
    """Return a digest of the files that write modules: all of this room and of its neighbours."""
    read = sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        read.update(path.read_bytes())
    return read.hexdigest()


def _place(source: Any) -> Path | None:
    """Return the file for the code of a module; None where nothing is kept."""
    directory = os.environ.get(DIRECTORY)
    said = repr(source)
    if not directory or " at 0x" in said:  # a place in memory: another thing in another process
        return None
    processor = binding.get_process_triple(), binding.get_host_cpu_name(), _flags("")
    versions = binding.llvm_version_info, llvmlite.__version__, _sources()
    name = sha256(repr((said, processor, versions)).encode()).hexdigest()
    return Path(directory, f"{name}.o")


def _read(place: Path) -> bytes | None:
    """Return what is kept in a file; None where it is not there, or not whole."""
    try:
        content = place.read_bytes()
    except OSError:
        return None
    code = content[DIGEST:]
    return code if sha256(code).digest() == content[:DIGEST] else None


def _write(place: Path, code: bytes) -> None:
    """Keep code in a file, whole or not at all; where that cannot be, nothing is kept."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
            file.write(sha256(code).digest() + code)
        os.replace(file.name, place)
    except OSError:
        return
