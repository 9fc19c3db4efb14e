"""A function of the elementary ones as a compiled loop over arrays, for tests and measurements."""

import ctypes
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from llvmlite import binding, ir

from portable_losses._typing import Array

arithmetic: Any = import_module("portable_losses.backends.kernels.formulas.arithmetic_llvm")
elementary: Any = import_module("portable_losses.backends.kernels.formulas.elementary")

binding.initialize_native_target()
binding.initialize_native_asmprinter()

LONG = ir.IntType(64)


def compiled(
    function: Callable[..., Any],
    dtype: Any,
    operands: int = 1,
    *,
    without: str = "",
    vectorised: bool = True,
) -> Callable[..., Array]:
    """Return ``function(a, *values)`` as a function of arrays of one shape.

    The features of the processor whose names start with `without` are left unused.
    """
    name = np.dtype(dtype).name
    module = ir.Module("elementary")
    module.triple = binding.get_process_triple()
    pointer = ir.PointerType(arithmetic.KINDS[name].type)
    signature = ir.FunctionType(ir.VoidType(), [pointer] * (operands + 1) + [LONG])
    loop = ir.Function(module, signature, "loop")
    for argument in loop.args[:-1]:
        argument.add_attribute("noalias")
    _write_loop(loop, lambda b, values: function(arithmetic.Arithmetic(b, module, name), *values))
    run, engine = _machine_code(module, operands, without, vectorised)

    def call(*arrays: Array) -> Array:
        given = [np.ascontiguousarray(x, dtype=dtype) for x in arrays]
        out = np.empty_like(given[0])
        run(*[x.ctypes.data for x in given], out.ctypes.data, out.size)
        return out

    call.engine = engine  # type: ignore[attr-defined]  # the code lives as long as this
    return call


def _write_loop(loop: Any, body: Callable[[Any, list[Any]], Any]) -> None:
    """Write the loop over all entries."""
    start, inside, end = [loop.append_basic_block(name) for name in ("start", "inside", "end")]
    *pointers, target, count = loop.args
    zero, one = ir.Constant(LONG, 0), ir.Constant(LONG, 1)
    builder: Any = ir.IRBuilder(start)
    builder.cbranch(builder.icmp_signed(">", count, zero), inside, end)
    builder.position_at_end(inside)
    i = builder.phi(LONG)
    i.add_incoming(zero, start)
    builder.store(
        body(builder, [builder.load(builder.gep(p, [i])) for p in pointers]),
        builder.gep(target, [i]),
    )
    following = builder.add(i, one, flags=["nsw"])
    i.add_incoming(following, inside)
    builder.cbranch(builder.icmp_signed("<", following, count), inside, end)
    builder.position_at_end(end)
    builder.ret_void()


def _machine_code(module: Any, operands: int, without: str, vectorised: bool) -> tuple[Any, Any]:
    """Return the loop as a function of addresses, and what keeps it alive."""
    features = binding.get_host_cpu_features()
    if without:
        features.update({name: False for name in features if name.startswith(without)})
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=features.flatten(), opt=3
    )
    parsed = binding.parse_assembly(str(module))
    parsed.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = vectorised
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    engine = binding.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    address = engine.get_function_address("loop")
    arguments = [ctypes.c_void_p] * (operands + 1) + [ctypes.c_int64]
    return ctypes.CFUNCTYPE(None, *arguments)(address), engine
