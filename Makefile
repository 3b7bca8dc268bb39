# PilotNet Brain: `make help` says what there is.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
PYTHON ?=
TORCH_INDEX ?=
export PYTHON TORCH_INDEX

# Where a ROS 2 is sourced, its interpreter and rclpy are used and no ROS wheel is installed.
ROS_FOUND := $(if $(ROS_DISTRO),$(shell $(or $(PYTHON),python3) -c \
    'import importlib.util as u; print("yes" if u.find_spec("rclpy") else "")' 2>/dev/null))
FLAVOUR := $(if $(ROS_FOUND),$(ROS_DISTRO),wheels)
RUN_STAMP := $(VENV)/.made-run-$(FLAVOUR)
DEV_STAMP := $(VENV)/.made-dev-$(FLAVOUR)
RUN_FILES := $(wildcard requirements/run.txt requirements/ros.txt requirements/constraints*.txt) \
    requirements/make_environment.sh

# `make drive CIRCUIT=montreal ARGS="--rtf 0.5"` is `pilotnet drive --circuit montreal --rtf 0.5`;
# make hands its variables to the shell as they are, quotes and spaces too.
DRIVE = $${CIRCUIT:+--circuit "$$CIRCUIT"} $${MODEL:+--model "$$MODEL"} \
    $${SIMULATOR:+--simulator "$$SIMULATOR"} $${LAPS:+--laps "$$LAPS"} $(ARGS)

# A mistyped variable would otherwise drive the default circuit without a word.
KNOWN := CIRCUIT MODEL SIMULATOR LAPS ARGS TESTS STARTS MINUTES VENV PYTHON TORCH_INDEX
UNKNOWN := $(filter-out $(KNOWN) MAKEFLAGS SHELL,$(foreach v,$(.VARIABLES),$(if \
    $(filter command,$(origin $(v))),$(v))))
ifneq ($(UNKNOWN),)
$(error unknown variable $(UNKNOWN): there are $(KNOWN))
endif

.PHONY: help
help: ## What can be made, and with which variables
	@echo 'Two commands on a bare machine (Linux, Python 3.11 or later):'
	@echo
	@echo '    make drive    a network drives one lap in the embedded simulator; shows the result'
	@echo '    make test     runs the tests'
	@echo
	@echo 'All of them:'
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/    make \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
	    | awk -F'|' '{printf "%-22s%s\n", $$1, $$2}'
	@echo
	@echo 'Variables of make drive:'
	@echo '    make drive CIRCUIT=montreal LAPS=2          another circuit, two laps'
	@echo '    make drive MODEL=my/model.pt                a TorchScript file of yours'
	@echo '    make drive SIMULATOR=gazebo                 in Gazebo Classic, where it is installed'
	@echo '    make drive ARGS="--rtf 0.5 --record-camera" any other option of pilotnet drive --help'
	@echo
	@echo 'Variables of the set-up (once, into $(VENV)):'
	@echo '    TORCH_INDEX=ADDRESS   package index for torch; the one with the CPU builds saves'
	@echo '                          several GB where pip would bring the CUDA build'
	@echo '    PYTHON=python3.12     the interpreter; under a sourced ROS 2 its own is used'
	@echo '    VENV=DIRECTORY        the environment'
	@echo
	@echo 'Everything else is the pilotnet command: $(VENV)/bin/pilotnet --help'

.PHONY: setup
setup: $(RUN_STAMP) ## Make the environment only

# Without a recipe echo and with exec: make adds milliseconds to `pilotnet drive`.
.PHONY: drive
drive: $(RUN_STAMP) ## Drive laps with a network, live over ROS 2, and show the result
	@exec $(VENV)/bin/pilotnet drive $(DRIVE)

.PHONY: bench
bench: $(RUN_STAMP) ## Time the package's hot path (MODEL, ARGS; benchmarks/bench.py --help)
	@exec $(VENV)/bin/python benchmarks/bench.py $${MODEL:+--model "$$MODEL"} $(ARGS)

# Each step resumes where it was cut off. Frames of the test set are never trained on.
.PHONY: data
data: $(RUN_STAMP) ## Collect the training, validation and test sets into datasets/
	$(VENV)/bin/pilotnet data collect datasets/train --frames 48000 --seed 11
	$(VENV)/bin/pilotnet data collect datasets/validation --frames 4000 --seed 12 --random-share 1
	$(VENV)/bin/pilotnet data collect datasets/test --frames 5120 --seed 13 --random-share 0 \
	    --circuit simple_circuit --circuit montreal --circuit montmelo

.PHONY: baseline
baseline: data ## Collect the data and train the shipped baseline (under an hour on 2 cores)
	$(VENV)/bin/pilotnet train datasets/train --validation datasets/validation --epochs 7 \
	    --threads 2 --out models/baseline.pt

RACING := --max-speed 22.5 --lateral-acceleration 28 --pursuit-time 0.14
.PHONY: race
race: $(RUN_STAMP) ## Collect a racing expert's data and train the shipped race model
	$(VENV)/bin/pilotnet data collect datasets/race_train --frames 40000 --seed 14 $(RACING)
	$(VENV)/bin/pilotnet data collect datasets/race_validation --frames 4000 --seed 15 \
	    --random-share 1 $(RACING)
	$(VENV)/bin/pilotnet train datasets/race_train --validation datasets/race_validation \
	    --epochs 7 --threads 2 --out models/race.pt

.PHONY: optimize
optimize: data ## Make all optimized models from the baseline (under 90 minutes on 2 cores)
	$(VENV)/bin/pilotnet optimize all

# Both resume where they were cut off. Nothing else should run during the live one.
.PHONY: benchmark
benchmark: $(RUN_STAMP) ## Drive all models live on all circuits (70 minutes; ARGS="--reference-laps DIR")
	@exec $(VENV)/bin/pilotnet benchmark live --out runs/live $(ARGS)

.PHONY: robustness
robustness: $(RUN_STAMP) ## Drive three models on 1,000 random circuits in lock-step (three hours)
	@exec $(VENV)/bin/pilotnet benchmark robustness --out runs/robustness $(ARGS)

.PHONY: proof
proof: $(RUN_STAMP) ## Drive 85 laps of every model in lock-step, for the model card (90 min)
	@exec $(VENV)/bin/pilotnet benchmark proof --out runs/proof $(ARGS)

TESTS ?= test
.PHONY: test
test: $(DEV_STAMP) ## Run the tests (TESTS=test/circuits for some of them)
	@exec test/run_suite.sh $(VENV)/bin/python $(TESTS)

# Nothing else should run. The second one writes docs/results/soak.md.
STARTS ?= 200
MINUTES ?= 120
.PHONY: soak
soak: $(DEV_STAMP) ## Start and stop 200 runs, some by SIGKILL, then drive for two hours (STARTS, MINUTES)
	@STARTS=$(STARTS) $(VENV)/bin/python -m pytest -m soak -s test/runs/test_start_up.py
	@exec $(VENV)/bin/python benchmarks/soak.py --minutes $(MINUTES) $(ARGS)

.PHONY: faults
faults: $(DEV_STAMP) ## Inject faults into live runs, and check what must hold (40 minutes)
	@exec $(VENV)/bin/python benchmarks/faults.py --out benchmarks/fault_campaign/results.md $(ARGS)

.PHONY: fuzz-models
fuzz-models: $(DEV_STAMP) ## Load 2,000 damaged model files (10 minutes; benchmarks/fuzz_models.py --help)
	@exec $(VENV)/bin/python benchmarks/fuzz_models.py $(ARGS)

.PHONY: fuzz
fuzz: $(RUN_STAMP) ## Send hostile messages to the nodes of a run (2 minutes; benchmarks/fuzz.py --help)
	@exec $(VENV)/bin/python benchmarks/fuzz.py $(ARGS)

# Exit status 3: Gazebo cannot be had on this machine.
.PHONY: test-gazebo
test-gazebo: $(DEV_STAMP) ## Run the tests in a real Gazebo Classic 11, made once (root, Debian's packages)
	@test/gazebo/make_gazebo11.sh >/dev/null
	@exec $(VENV)/bin/python -m pytest -m gazebo $(if $(filter test,$(TESTS)),test/gazebo,$(TESTS))

.PHONY: test-gz
test-gz: $(DEV_STAMP) ## Run the tests in a real Gazebo Sim, where gz is on the path
	@exec $(VENV)/bin/python -m pytest -m gz $(if $(filter test,$(TESTS)),test/gz,$(TESTS))

.PHONY: lint
lint: $(DEV_STAMP) ## Check style and types
	@$(VENV)/bin/python -m ruff check .
	@$(VENV)/bin/python -m ruff format --check .
	@$(VENV)/bin/python -m mypy

# Run by the environment's own Python, so that the installed nodes start with it and find torch.
.PHONY: colcon-build
colcon-build: $(DEV_STAMP) ## Build the ROS 2 package into install/
	@$(VENV)/bin/python -m colcon build --base-paths . --packages-select pilotnet_brain
	@echo 'now: source install/setup.bash$(if $(ROS_FOUND), && ros2 launch pilotnet_brain drive.launch.py)'

.PHONY: clean
clean: ## Remove what was built (not the runs, not the environment)
	rm -rf build install log .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find pilotnet_brain test launch -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Remove the environment too
	rm -rf $(VENV)

$(RUN_STAMP): $(RUN_FILES)
	@requirements/make_environment.sh $(VENV) run $(FLAVOUR)

$(DEV_STAMP): $(RUN_FILES) requirements/dev.txt requirements/onnx.txt \
    requirements/cluster.txt requirements/lerobot.txt
	@requirements/make_environment.sh $(VENV) dev $(FLAVOUR)

# The site needs neither torch nor ROS: it has a small separate environment. Warnings are errors.
DOCS_CONSTRAINTS := requirements/constraints$(if $(ROS_FOUND),-ros-sourced).txt
.PHONY: docs
docs: build/docs/env/made ## Build the documentation's site into build/docs/html
	@build/docs/env/bin/python -m sphinx --fail-on-warning --keep-going -q -b html \
	    -d build/docs/doctrees docs build/docs/html
	@echo 'the site is build/docs/html/index.html'

build/docs/env/made: requirements/docs.txt $(DOCS_CONSTRAINTS)
	@$(or $(PYTHON),python3) -m venv --clear build/docs/env
	@build/docs/env/bin/python -m pip --disable-pip-version-check -qq install \
	    -r requirements/docs.txt -c $(DOCS_CONSTRAINTS)
	@touch $@

# Exact versions of all that requirements/*.txt name; pins that the files hold are kept.
.PHONY: constraints
constraints: ## Compile requirements/constraints*.txt with uv
	@requirements/compile_constraints.sh
