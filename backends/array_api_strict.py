"""array-api-strict: NumPy underneath, so that its operations warn as NumPy's do."""

from functools import partial

import numpy as np

from portable_losses._backend import Arrays, Backend

BACKEND = Backend(
    "array_api_strict",
    arrays=Arrays(quiet=partial(np.errstate, all="ignore"), gives_way=False),
)
