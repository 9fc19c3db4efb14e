"""Finding a NaN, and a wrong gradient."""
