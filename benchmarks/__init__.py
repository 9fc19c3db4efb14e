"""Speed, side by side with PyTorch eager on the same machine: ``python -m benchmarks``."""
