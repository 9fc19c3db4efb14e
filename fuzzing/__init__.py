"""A fuzzer: random calls of every public function on every library, and what must hold of them.

``python -m fuzzing`` runs; ``python -m fuzzing --call 123456`` replays one call. Every call follows
from one integer. The files, in the order in which a call passes through them: `values` (numbers),
`arrays` (one argument, its dtype and layout), `families` (the shapes of a function's arrays),
`options`, `table` (one line per public function), `calls` (from an integer to a call), `libraries`
(how each library makes arrays and differentiates), `oracles` and `laws` (what must hold),
`shrinking`, `report`.
"""
