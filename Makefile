# Every target makes .venv and installs what it needs, and nothing more: `make demo` in a fresh clone
# needs Python 3.11 or later, make and a network. A second call finds the stamps and starts at once.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
WORKERS ?= 2
SHARED = -n $(WORKERS) --dist worksteal
PYTEST = $(RUN) -m pytest $(SHARED)

.DEFAULT_GOAL := help
.PHONY: help demo quick test test-all test-older test-more fuzz cover check bench accuracy docs look gpu card wheel alone clean

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

demo: $(VENV)/demo.stamp  ## train on every array library installed, print the table, draw the curves
	$(RUN) -m examples.demo

quick: $(VENV)/test.stamp  ## every law on NumPy and array-api-strict, in a minute; FAMILY=robust: of these rows
	$(PYTEST) tests/laws tests/accuracy --library numpy,array_api_strict $(if $(FAMILY),--family $(FAMILY))

test: $(VENV)/test.stamp  ## the whole test matrix
	$(PYTEST)

test-all: export PORTABLE_LOSSES_ROWS = all
test-all: test test-older  ## every row on the slow libraries, too, and test-older

test-older: $(VENV)/test.stamp  ## what compares numbers, as on a processor without AVX-512
	$(RUN) -m tests.older_processor $(SHARED) tests/accuracy tests/autograd tests/kernels tests/laws tests/peers

test-more: export PORTABLE_LOSSES_MORE = 1
test-more: $(VENV)/more.stamp  ## LightGBM, CatBoost, MLX, and scikit-learn's own tests through our losses
	$(RUN) -m pytest -n 0 tests/objectives tests/interop/test_mlx.py tests/interop/test_other_libraries.py

cover: $(VENV)/cover.stamp  ## the lines of portable_losses and backends that no test runs
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=html
	@echo "open htmlcov/index.html"

SECONDS ?= 60
SEED ?= 0
fuzz: $(VENV)/test.stamp  ## random calls of every function for SECONDS, from the number SEED on
	$(RUN) -m fuzzing --seconds $(SECONDS) --seed $(SEED) --workers $(WORKERS) --expect fuzzing/known.jsonl

check: export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1
check: $(VENV)/lint.stamp  ## ruff, ruff format, mypy, pyright, zizmor
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pyright --pythonpath $(RUN)
	$(VENV)/bin/zizmor --offline --quiet .github

bench: $(VENV)/bench.stamp  ## speed and memory beside the peers: docs/benchmarks.md
	$(RUN) -m benchmarks

accuracy: $(VENV)/test.stamp  ## every function against mpmath, beside its peers: docs/accuracy.md
	$(RUN) -m tools.report_accuracy --workers $(WORKERS)

docs: $(VENV)/docs.stamp  ## the documentation as HTML in docs/_build, every example executed
	$(RUN) -m sphinx -W --keep-going --quiet --jobs auto docs docs/_build
	@echo "open docs/_build/index.html"

look: docs $(VENV)/look.stamp  ## its pages in a real browser, wide and narrow; pictures of them in docs/_build/look
	@command -v chromium >/dev/null || \
		{ echo "make look: needs Chromium and its driver: apt-get install chromium chromium-driver" >&2; exit 1; }
	$(RUN) -m tools.look_at_pages

CARD_PYTHON ?= $(PYTHON)
card:  ## matrix, kernels and speed on an NVIDIA card: docs/gpu.md; CARD_PYTHON has PyTorch, CuPy, mpmath
	@nvidia-smi --list-gpus 2>/dev/null | grep -q GPU || \
		{ echo "make card: no NVIDIA card was found (nvidia-smi lists none)" >&2; exit 1; }
	$(CARD_PYTHON) -m tools.report_card

gpu:  ## the test matrix with CuPy and CUDA tensors in it; needs an NVIDIA card
	@nvidia-smi --list-gpus 2>/dev/null | grep -q GPU || \
		{ echo "make gpu: no NVIDIA card was found (nvidia-smi lists none)" >&2; exit 1; }
	$(MAKE) $(VENV)/test.stamp
	PORTABLE_LOSSES_GPU=1 $(RUN) -m pytest

wheel: $(VENV)/wheel.stamp  ## an sdist, and the wheel built from it, in dist/
	rm -rf dist
	$(RUN) -m build --no-isolation

alone: wheel  ## the wheel and the sdist, each installed alone in fresh environments of every Python found
	$(RUN) -m tools.try_packages

clean:  ## remove .venv and everything that was built
	rm -rf $(VENV) dist docs/_build docs/reference htmlcov .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

# ---- one stamp for each set of packages (the groups of pyproject.toml) --------------------------
$(VENV)/%.stamp: $(VENV)/pip.stamp pyproject.toml constraints.txt
	$(INSTALL) --editable . --group $*
	@touch $@

$(VENV)/pip.stamp:
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(INSTALL) pip    # a pip that knows dependency groups
	@touch $@

.PRECIOUS: $(VENV)/%.stamp
