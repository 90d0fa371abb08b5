# `make help` lists the targets; each sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup book study plan test quick lab serve lint benchmarks full-size ablation calibration determinism interruptions scale brain-score headline clean

STUDY ?= demo
PROFILE ?= default
CORES ?= all
PORT ?= 8000

PYTHON := .venv/bin/python
READY := .venv/.ready
# of the tests: one more than cores, since some wait for subprocesses; eight at most, for memory
WORKERS := $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$(( n < 8 ? n + 1 : 8 )))
# kernels and command-line tools of this environment first
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1 \2/' | awk '{printf "  make %-13s", $$2; $$1=$$2=""; print $$0}'
	@echo "  STUDY=$(STUDY) PROFILE=$(PROFILE) CORES=$(CORES) PORT=$(PORT) (set them on the command line: make study STUDY=paper)"

# The stamp is written last: it is older than pyproject.toml when the pins have changed.
$(READY): pyproject.toml
	@python=; for p in python3.11 python3.12 python3 python; do \
	  if $$p -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then python=$$p; break; fi; done; \
	[ -n "$$python" ] || { echo "error: no Python 3.11 or 3.12 with its venv module on PATH: install one (Debian: apt-get install python3.11 python3.11-venv), then call make again" >&2; exit 1; }; \
	echo "setting up .venv with $$($$python --version): this takes some minutes and 7 GB of disk"; \
	$$python -m venv .venv; \
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[dev]' || { echo "error: the packages pinned in pyproject.toml could not be installed (pip says why above): see that pip reaches its index, then call make again" >&2; exit 1; }
	@touch $@

setup: $(READY)  ## make .venv with the pinned packages (the other targets do it themselves)

book: $(READY)  ## run the demo study, build the book, print where it is
	@$(PYTHON) -m workflow.build_book $(STUDY) --cores $(CORES) --profile $(PROFILE)

study: $(READY)  ## run a study without the book: make study STUDY=paper PROFILE=slurm
	@$(PYTHON) -m workflow.run $(STUDY) --cores $(CORES) --profile $(PROFILE)

plan: $(READY)  ## show what a study would run, why, and with which resources: make plan STUDY=paper
	@$(PYTHON) -m workflow.run $(STUDY) --profile $(PROFILE) --plan

test: $(READY)  ## run the test suite
	@OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

quick: $(READY)  ## run the tests that need no whole study
	@OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(WORKERS) --dist loadfile -m "not study"

lab: $(READY)  ## open JupyterLab on the notebooks
	@jupyter lab notebooks

serve: $(READY)  ## show the built book at http://localhost:8000 (PORT=8000)
	@[ -f _build/html/index.html ] || { echo "error: there is no book in _build/html: make book builds it" >&2; exit 1; }
	@echo "read it: http://localhost:$(PORT) (Ctrl-C stops)"
	@$(PYTHON) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

# actionlint has no wheel: its package downloads a program from GitHub, so it is used where it is installed
lint: $(READY)  ## check style, workflow files, and that notebooks are committed without outputs
	@ruff check .
	@ruff format --check .
	@nbstripout --keep-id --verify notebooks/*.ipynb notebooks/appendix/*.ipynb
	@if command -v actionlint >/dev/null; then actionlint; else echo "actionlint is not installed: only tests/test_published.py checks .github/workflows"; fi

benchmarks: $(READY)  ## time our calculations against those of other packages
	@$(PYTHON) -m experiments.benchmarks all

full-size: $(READY)  ## prepare recordings of the published size: seconds and memory, into the book
	@$(PYTHON) -m experiments.benchmarks full_size

ablation: $(READY)  ## what each choice and beta change, over simulated data sets: two hours on one core
	@$(PYTHON) -m experiments.ablation

calibration: $(READY)  ## how often our inference errs, and how often planted effects are found: hours
	@$(PYTHON) -m experiments.calibration --workers $$(nproc)
	@$(PYTHON) -m experiments.truth --simulations 10 --workers $$(nproc)

determinism: $(READY)  ## run a small study in several ways that must not change results: some minutes
	@$(PYTHON) -m experiments.determinism

interruptions: $(READY)  ## kill a study at 20 random moments and compare the results: half an hour
	@$(PYTHON) -m experiments.interruptions

scale: $(READY)  ## measure how time and memory grow: some minutes
	@$(PYTHON) -m experiments.scale

BRAINSCORE := experiments/brainscore/.venv

$(BRAINSCORE)/.ready: experiments/brainscore/requirements.txt
	@python=; for p in python3.11 python3 python; do \
	  if $$p -c 'import sys, ensurepip, venv; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then python=$$p; break; fi; done; \
	[ -n "$$python" ] || { echo "error: Brain-Score's environment needs Python 3.11 with its venv module on PATH (Debian: apt-get install python3.11 python3.11-venv): install it, then call make again" >&2; exit 1; }; \
	echo "setting up $(BRAINSCORE): this takes some minutes and 7 GB of disk"; \
	$$python -m venv $(BRAINSCORE); \
	$(BRAINSCORE)/bin/python -m pip install --quiet --disable-pip-version-check -r $< || { echo "error: the packages pinned in $< could not be installed (pip says why above): see that pip reaches its index, then call make again" >&2; exit 1; }
	@touch $@

brain-score: $(BRAINSCORE)/.ready  ## score the networks of a study on Brain-Score's behavioural benchmarks
	@$(BRAINSCORE)/bin/python -m experiments.brainscore.score $(STUDY)

headline: $(READY)  ## copy the headline figure of the demo into the README
	@cp results/demo/figures/headline.png book/_static/headline.png

clean: ## remove the book and everything the demo made; other studies, your data and .venv stay
	@rm -rf _build book/notebooks book/index.ipynb book/_settings.md book/_about.md book/_explorer.md book/_extra results/demo results/appendix data/prepared/demo data/raw/simulated
	@rm -rf .pytest_cache .ruff_cache .hypothesis
	@find realnet simulation workflow experiments tests -name __pycache__ -type d -prune -exec rm -rf {} +
