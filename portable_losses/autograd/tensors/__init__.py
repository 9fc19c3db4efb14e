"""`Tensor`: the array that records, what Python asks of it, and views of it."""
