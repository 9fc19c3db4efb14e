"""Functions of rows on NumPy."""
