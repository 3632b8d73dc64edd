# `make demo` and `make test` are all the set-up there is; see README.md.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-multimodal demo-lm study test test-long test-latest test-reasoning-gym test-slurm test-container bench check docs report container lock clean

# The environment first on the path, so that the workflow's rules find `relax`.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Without compiled bytecode every job would compile transformers again.
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo "make setup   make .venv from envs/cpu.lock"
	@echo "make demo    train, analyse, evaluate and report on this machine (about ten minutes on two cores)"
	@echo "make demo-multimodal  the same with pictures and a tiny vision-language policy, in results/demo_multimodal/"
	@echo "make demo-lm  the same with a pretrained language model of 135 million parameters, in results/demo_lm/ (about 50 minutes on two cores; needs a package index once)"
	@echo "make study   the study of docs/study.md, the trap and its two controls (most of a day on two cores; goes on where it stopped)"
	@echo "make test    run the tests (about twenty minutes on two cores)"
	@echo "make test-long   what takes longer: methods killed and resumed, the benchmarks at their quick sizes (ten minutes)"
	@echo "make test-latest  the tests that bind to libraries, with the newest releases that pyproject.toml admits, in .venv-latest/ (needs a package index)"
	@echo "make test-reasoning-gym  the tests of data.source reasoning-gym, with the library in .venv-reasoning-gym/ (needs a package index and a C compiler)"
	@echo "make container       build the image relax:cpu with docker, podman or buildah (containers/README.md)"
	@echo "make test-container  build and run the images for real (root, a quarter of an hour; docs/containers.md)"
	@echo "make test-slurm  what goes wrong on a cluster, on a real Slurm started here (root; about half an hour on two cores)"
	@echo "make bench   speed and memory of relax.koopman, a training step, generation, analysis and the grader against targets (about an hour, one thread)"
	@echo "make check   format and lint (ruff, snakefmt, snakemake --lint), types (mypy)"
	@echo "make docs    build the documentation as a site in docs/_build/; any warning is an error (a minute)"
	@echo "make report  the demo as one page for a reviewer, results/demo/snakemake-report.html"
	@echo "make lock    resolve envs/*.lock again from pyproject.toml (needs a package index)"
	@echo "make clean   remove results/ but for what is tracked, and Snakemake's memory"

setup:
	@envs/setup.sh cpu

demo: setup
	@echo "demo: two policies train side by side; results/demo/report.html at the end, logs in results/demo/logs/"
	@snakemake --cores all --quiet host reason

demo-multimodal: setup
	@snakemake --cores all --quiet host reason --configfile config/demo_multimodal.yaml

demo-lm: setup
	@relax fetch --configfile config/config.yaml config/demo_lm.yaml
	@snakemake --cores all --quiet host reason --configfile config/demo_lm.yaml

# Seed by seed: if the time runs out, seeds count in their order (docs/study.md). A training that ends in non-finite
# numbers is a result too and keeps no other run from starting; without the trap an interrupt would end one seed only.
STUDY := snakemake --cores all --keep-going --quiet host reason --configfile config/study.yaml
study: setup
	@trap 'exit 130' INT TERM; failed=0; \
	for seed in $$(seq 12); do $(STUDY) -- seed_$$seed || failed=1; done; \
	for control in "" config/study_noisy_sum.yaml config/study_countdown.yaml; do $(STUDY) $$control || failed=1; done; \
	exit $$failed

test: setup
	@echo "test: pytest, about twenty minutes on two cores"
	@python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-long: setup
	@python -m pytest -m long

test-latest: setup
	@envs/latest.sh

test-reasoning-gym: setup
	@envs/reasoning-gym.sh

container:
	@containers/build.sh cpu

test-container:
	@tests/container/run.sh

test-slurm: setup
	@echo "test-slurm: pytest -m slurm_trouble, about half an hour on two cores"
	@python -m pytest -m slurm_trouble

bench: setup
	@missed=0; \
	for name in koopman training step generation analysis grading images; do \
	  python benchmarks/$$name.py --out results/bench/$$name.json || missed=1; \
	done; \
	python benchmarks/dry_run.py && exit $$missed

check: setup
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	mypy
	snakemake --lint

# The source folder is the repository: pages link each other wherever they lie (docs/conf.py).
docs: setup
	@sphinx-build -W --keep-going -q -b html -c docs . docs/_build
	@echo "docs: $(CURDIR)/docs/_build/index.html"

report: demo
	@snakemake --report results/demo/snakemake-report.html --quiet all
	@echo "report: $(CURDIR)/results/demo/snakemake-report.html, one page that needs no network"

lock: setup
	envs/lock.sh

clean:
	git clean -fdXq results
	rm -rf .snakemake
