"""Graphs: nodes, what is recorded, and the walk back from a result."""
