"""Elementwise formulas: recorded as a list of operations, and a program for each target."""
