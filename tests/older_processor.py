"""pytest as on a processor with AVX2 and without AVX-512: ``python -m tests.older_processor -n 2``.

Exponentials, sums and matrix products have other bits there. Each library has a switch for it,
read when the library is imported; on a processor that has no more, nothing changes.
"""

import os
import sys
from platform import machine

import numpy as np

SWITCHES = {
    "OPENBLAS_CORETYPE": "Haswell",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    "PORTABLE_LOSSES_CPU_WITHOUT": "avx512",
}


def beyond_avx2() -> list[str]:
    """Return the features of this processor that NumPy would use and an older one has not."""
    found = np.show_config(mode="dicts")
    assert found is not None
    extensions = found["SIMD Extensions"]
    return [name for name in extensions.get("found", []) if "512" in name or name == "X86_V4"]


if __name__ == "__main__":
    if machine() in ("x86_64", "AMD64"):
        os.environ.update(SWITCHES, NPY_DISABLE_CPU_FEATURES=" ".join(beyond_avx2()))
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *sys.argv[1:]])
