"""What needs MLX, marray, sparse or cubed is collected on demand."""

import os
from importlib.util import find_spec

#: `make test-more` sets it.
MORE = os.environ.get("PORTABLE_LOSSES_MORE") == "1"

NEEDS = {
    "test_mlx.py": ("mlx",),
    "test_other_libraries.py": ("cubed", "marray", "sparse"),
}
collect_ignore = [
    name for name, modules in NEEDS.items() if not (MORE and all(map(find_spec, modules)))
]
