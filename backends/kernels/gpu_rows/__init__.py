"""Functions of rows, cross entropy among them, on GPUs: CUDA C++ for CuPy, Triton for PyTorch."""
