"""Functions of functions: gradients, products with Jacobians, checkpoints, gradients by hand."""
