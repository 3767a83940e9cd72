# `make demo` and `make test` each work from a bare machine with Python 3.11: they make the environment and install.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KOLUMN_INSTALLED := $(VENV)/.installed
TEST_INSTALLED := $(VENV)/.installed-test

.PHONY: demo test test-slow lint types bench weights weights-unrolled weights-unet weights-learned-cs clean

demo: $(KOLUMN_INSTALLED)
	$(BIN)/kolumn demo --overwrite

test: $(TEST_INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" --numprocesses auto --maxprocesses 8 --dist loadscope

test-slow: $(TEST_INSTALLED)
	$(BIN)/python -m pytest -m slow

lint: $(TEST_INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(TEST_INSTALLED)
	$(BIN)/mypy

bench: $(TEST_INSTALLED)
	$(BIN)/python benchmarks/linear.py
	$(BIN)/python benchmarks/espirit.py
	$(BIN)/python benchmarks/compressed_sensing.py --volume

# The three networks from nothing, into weights/: two hours on two cores with -j2, which trains two at a time. Killed, it goes on where it
# was. IMAGES= trains without real anatomy. What comes of it, and what of more steps: docs/networks-results.md.
IMAGES ?= ../shared/data/anatomy_magnitude.h5
UNROLLED_STEPS ?= 3600
UNET_STEPS ?= 4400
LEARNED_CS_STEPS ?= 1000
HELD_OUT := ulf-p1,ulf-p2,ulf-p3,s08
TRAIN = OMP_NUM_THREADS=1 $(BIN)/kolumn train $(1) -o weights/$(1) $(if $(IMAGES),--images $(IMAGES) --hold-out $(HELD_OUT)) \
	--batch-size 2 $(2) $$(test -e weights/$(1)/last.pt && echo --resume)

weights: weights-unrolled weights-unet weights-learned-cs

weights-unrolled: | weights/
	$(call TRAIN,unrolled,--steps $(UNROLLED_STEPS) --lr 1.5e-3)

weights-unet: | weights/
	$(call TRAIN,unet,--steps $(UNET_STEPS) --lr 1.5e-3 --option consistency=6)

weights-learned-cs: | weights/
	$(call TRAIN,learned-cs,--steps $(LEARNED_CS_STEPS) --lr 5e-3)

weights/: $(KOLUMN_INSTALLED)
	mkdir -p weights

# torch first and pinned, else an installer picks a newer one with gigabytes of CUDA.
$(BIN)/python: constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kolumn needs Python 3.11 or newer; try make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r constraints.txt
	touch $@

$(KOLUMN_INSTALLED): $(BIN)/python pyproject.toml hatch_build.py $(wildcard src/kolumn/native/*.[ch])
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(TEST_INSTALLED): $(BIN)/python pyproject.toml hatch_build.py $(wildcard src/kolumn/native/*.[ch])
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(KOLUMN_INSTALLED) $@

clean:
	rm -rf $(VENV) build dist kolumn-demo
