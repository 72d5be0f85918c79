# make help lists what can be typed.
.DEFAULT_GOAL := help
SHELL := /bin/bash

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

venv: ## the control node's tools, pinned, in .venv
	@tools/bootstrap

demo: ## a local environment with the reference application deployed to it
	@tools/demo

demo-down: ## removes the local environment
	@tools/demo-down

try: ## an application of yours in one local container: make try APPLICATION=../shop
	@APPLICATION='$(APPLICATION)' INVENTORY='$(INVENTORY)' PORT='$(PORT)' tools/try up

try-down: ## removes what make try made, of all applications or of APPLICATION=
	@APPLICATION='$(APPLICATION)' tools/try down

lint: ## yamllint, ansible-lint (profile production), ruff
	@tools/test.py lint

unit: ## unit tests
	@tools/test.py unit

test: ## lint, unit, sanity, Molecule scenarios, whole stack
	@tools/test.py

bench-judge: ## how often the judge is right, on simulated deployments with known effects
	@tools/bootstrap
	@.venv/bin/python tools/bench_judge.py

prove: ## all at full size: scenarios on every distribution, kills, load, faults, documents (about four hours)
	@tools/prove

bench: ## speed of a deployment as ratios to a hand-written shell deployment
	@tools/bench

.PHONY: help venv demo demo-down try try-down lint unit test prove bench bench-judge
