"""What needs LightGBM or CatBoost, and scikit-learn's own tests, are collected on demand."""

import os
from importlib.util import find_spec

#: `make test-more` sets it.
MORE = os.environ.get("PORTABLE_LOSSES_MORE") == "1"

collect_ignore = [
    f"test_{name}.py"
    for name in ("xgboost", "lightgbm", "catboost")
    if not find_spec(name) or (name != "xgboost" and not MORE)
]
if not MORE:
    collect_ignore.append("test_their_tests.py")
