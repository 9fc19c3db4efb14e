"""``namespace(xp)``: every function of the standard, on Tensors."""
