# make course: run every notebook.  make test: the whole test suite.  make help: the rest.
#
# The commands use .venv, which they make. To use an environment of your own (conda, say): make course PY=python

PYTHON ?= python3
VENV := .venv
ifeq ($(origin PY), undefined)
  PY := $(VENV)/bin/python
  READY := $(VENV)/.ready
endif

# what a newcomer sees first is the address, and no log; and in the browser no question about news (the line after pip's)
QUIET := --log-level=ERROR --LabApp.log_level=ERROR

# notebooks are read on narrow pages
FORMAT_NARROW = $(PY) -m ruff format --isolated --target-version py311 --line-length 88

.DEFAULT_GOAL := help
.PHONY: help course test lab data notebooks lint format bench tables bench-mnist bench-cifar10 bench-pixels bench-pictures mutants constraints test-oldest clean

help: ## show this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /make \1\t/' | expand -t 20

# .ready is written last: an installation that was stopped is taken up again
$(VENV)/.ready: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here: install Python 3.11 or later, or name one: make course PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "The course needs Python 3.11 or later, and $(PYTHON) is $$($(PYTHON) --version 2>&1): make course PYTHON=python3.12, say."; exit 1; }
	@echo "Installing into $(VENV) (PyTorch is large: a few minutes, once)"
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable '.[course,dev,compare]'
	@$(VENV)/bin/jupyter labextension disable --log-level=ERROR @jupyterlab/apputils-extension:announcements
	@touch $@

course: $(READY) ## run every notebook into build/, and say what came out
	@$(PY) notebooks/build.py course

test: $(READY) ## run the unit tests, and the notebooks as tests
	@$(PY) -m pytest -q --numprocesses auto --maxprocesses 8 --dist loadscope --no-loadscope-reorder

lab: $(READY) ## open the notebooks in JupyterLab
	@cd notebooks && $(if $(READY),../)$(PY) -m jupyterlab $(QUIET)

data: $(READY) ## download MNIST, Fashion-MNIST and CIFAR-10 (about 230 MB)
	@$(PY) -m vaelib.data download mnist fashion-mnist cifar10

notebooks: $(READY) ## for contributors: renew the committed notebooks, on the built-in data
	@$(PY) notebooks/build.py renew

lint: $(READY) ## ruff; what is imported is declared; who may import whom
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m deptry vaelib
	@$(FORMAT_NARROW) --check notebooks/*.ipynb && $(PY) -m ruff check --isolated --select E501 --line-length 88 notebooks/*.ipynb
	@$(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint(["--no-cache", "--no-logo"])'

format: $(READY) ## let ruff rewrite what it can
	@$(PY) -m ruff format . && $(FORMAT_NARROW) notebooks/*.ipynb && $(PY) -m ruff check --fix .

bench: $(READY) ## measure speed anew, and renew its tables in benchmarks/README.md
	@for script in training gradients likelihood quantizer sampling; do $(PY) benchmarks/$$script.py --keep || exit 1; done
	@$(PY) benchmarks/tables.py

bench-mnist: $(READY) ## train VAEs on MNIST for minutes to an hour each, and renew their table; stops and goes on
	@$(PY) benchmarks/mnist.py --keep && $(PY) benchmarks/tables.py

bench-cifar10: $(READY) ## train VQ-VAEs on CIFAR-10, and renew their table; stops and goes on
	@$(PY) benchmarks/cifar10.py --keep && $(PY) benchmarks/tables.py

bench-pixels: $(READY) ## train PixelCNNs on MNIST for an hour each, and renew their table; stops and goes on
	@$(PY) benchmarks/pixels.py --keep && $(PY) benchmarks/tables.py

bench-pictures: $(READY) ## at the size of a paper: pictures over training of a VAE, a VQ-VAE and three priors; stops and goes on
	@VAELIB_BUDGET=full $(PY) benchmarks/pictures.py --keep && $(PY) benchmarks/tables.py

seeds: $(READY) ## train what notebooks compare from five other seeds: what they put beside their own figures; stops and goes on
	@$(PY) benchmarks/seeds.py

planted: $(READY) ## for contributors: count anew the planted errors that the notebooks' proofs tell of
	@$(PY) -m pytest -q --numprocesses auto --maxprocesses 8 --dist loadscope --no-loadscope-reorder --renew-planted notebooks tests/test_0*.py

tables: $(READY) ## render the tables of measured figures from their results files
	@$(PY) benchmarks/tables.py

mutants: $(READY) ## for contributors: change the code in 400 places and see whether a test notices; stops and goes on
	@$(PY) tests/mutants.py --count 400

constraints: ## for contributors: renew constraints.txt with the newest versions, in a fresh environment
	@rm -rf build/newest && $(PYTHON) -m venv build/newest
	@build/newest/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[course,dev,compare]'
	@build/newest/bin/python .ci/pin.py > build/constraints.txt && mv build/constraints.txt constraints.txt
	@rm -rf build/newest && echo "constraints.txt is renewed: now run make test."

test-oldest: $(READY) ## for contributors: the tests with the oldest versions that pyproject.toml allows
	@$(PY) -m uv venv --quiet --clear --python $(PYTHON) build/oldest
	@$(PY) -m uv pip install --quiet --python build/oldest/bin/python --resolution lowest-direct --editable '.[course,dev,compare]'
	@build/oldest/bin/python -m pytest -q

clean: ## remove .venv and build/
	@rm -rf $(VENV) build notebooks/training.gif
