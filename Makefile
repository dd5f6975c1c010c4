# The two commands are `make demo` and `make test`. `make help` lists them all.
SHELL := /bin/bash
BIN := .venv/bin
# Dozens of short processes import the same packages: let Python keep the bytecode
unexport PYTHONDONTWRITEBYTECODE
OUT ?= demo_out
FLAGS ?= slow

.PHONY: help demo test test-slow docs lab prepare hooks bench demo-models demo-pictures clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# A stamp an install: the base with the offline model for `demo`, everything for the rest.
.venv/.installed-demo: settings.ini setup.py
	.ci/install -e '.[opennsfw]'
	@touch $@

.venv/.installed-dev: settings.ini setup.py
	.ci/install -e '.[dev]'
	@touch $@ .venv/.installed-demo

demo: .venv/.installed-demo ## the whole main job on a small world: report in demo_out/ (OUT=folder)
	$(BIN)/nsfw-dreambooth demo --out $(OUT)

test: .venv/.installed-dev ## every check of the project
	$(BIN)/python .ci/test.py

test-slow: .venv/.installed-dev ## the same, with the cells flagged slow (FLAGS="slow gpu net" for more)
	$(BIN)/python .ci/test.py --flags "$(FLAGS)"

docs: .venv/.installed-dev ## the site in _docs/, by Quarto where it is on PATH, else by smalldocs
	$(BIN)/python .ci/docs.py

lab: .venv/.installed-dev ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir nbs

prepare: .venv/.installed-dev ## before a commit: clean, export, README, and the notebooks tested
	$(BIN)/python .ci/sync.py
	$(BIN)/python .ci/test.py sync pairs imports ruff lazy notebooks

hooks: .venv/.installed-dev ## once a clone: git hooks for clean notebooks, merges and quick checks
	.ci/hooks

bench: .venv/.installed-dev ## run the benchmark notebooks and store what they measured
	$(BIN)/python .ci/notebooks.py --save --flags "$(FLAGS)" nbs/benchmarks

demo-models: .venv/.installed-dev ## train the demo models again: hours on 2 cores, resumable
	$(BIN)/python -m nsfw_dreambooth.demo.train

ICONS := noto noto-v1 fluent-emoji fluent-emoji-flat twemoji emojione fxemoji
demo-pictures: .venv/.installed-dev ## draw the demo pictures again (needs npm and Debian's sweethome3d-furniture)
	npm install --no-save --no-package-lock $(ICONS:%=@iconify-json/%)
	$(BIN)/python -m nsfw_dreambooth.demo.drawings

clean: ## remove what the targets made; .venv stays
	rm -rf $(OUT) _docs _proc build dist *.egg-info nbs/nbdev.yml nbs/sidebar.yml .ruff_cache
	find nbs nsfw_dreambooth .ci -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf
