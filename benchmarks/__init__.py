"""Speed, side by side with PyTorch eager on the same machine: ``python -m benchmarks``."""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # read when scipy is imported
