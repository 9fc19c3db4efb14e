"""What needs MLX is collected on demand."""

import os
from importlib.util import find_spec

#: `make test-more` sets it.
MORE = os.environ.get("PORTABLE_LOSSES_MORE") == "1"

collect_ignore = [] if MORE and find_spec("mlx") else ["test_mlx.py"]
