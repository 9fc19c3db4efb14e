"""Programs that show what the package does. Each runs alone: ``python -m examples.<name>``."""
