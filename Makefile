SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help demo test quick lint format setup lock

python := .venv/bin/python
# Most tests keep one core busy. A file stays with one worker, which makes what its tests share once; files are taken in
# the order of tests/conftest.py.
pytest := $(python) -m pytest -n 2 --dist loadfile --no-loadscope-reorder
uv := uv==0.13.9

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup  ## train, evaluate and publish a classifier on the sample pictures
	$(python) -m pipeline.local_run

test: lint  ## lint, types and the whole test suite
	$(pytest)

quick: setup  ## the tests that are not marked slow, without lint
	$(pytest) -m "not slow"

lint: setup  ## ruff and mypy
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m mypy

format: setup  ## let ruff rewrite what it can
	$(python) -m ruff check --fix
	$(python) -m ruff format

setup:  ## make or renew .venv; PYTHON=... names the interpreter, GPU=1 adds the CUDA libraries
	@./setup.sh

# One resolution gives both files, so the CUDA libraries fit the rest. The present pins are kept where they still fit.
lock:  ## renew both lock files from pyproject.toml
	@scratch=$$(mktemp -d)
	trap 'rm -rf "$$scratch"' EXIT
	cat requirements*.lock > "$$scratch/lock" 2> /dev/null || true
	$(or $(PYTHON),python3) -m venv "$$scratch/venv"
	"$$scratch/venv/bin/pip" install -q --disable-pip-version-check $(uv)
	UV_PYTHON_DOWNLOADS=never "$$scratch/venv/bin/uv" pip compile --quiet --python "$$scratch/venv/bin/python" \
	  --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  pyproject.toml --group dev --extra gpu --extra kubeflow -o "$$scratch/lock"
	awk '/^[^ ]/ { file = /^nvidia-/ ? "requirements-gpu.lock" : "requirements.lock" } { print > file }' "$$scratch/lock"
