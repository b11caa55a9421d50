# Everything happens in .venv, which the first call makes; nothing but the package registry is reached.

PYTHON ?= python3
BIN := .venv/bin
CLIPS := .venv/lib/python3*/site-packages/gradio/media_assets/audio
TEXT ?= A small model has learned to say this sentence, and to sound like someone.
PROMPT ?=
export TEXT PROMPT
INSTALLED := .venv/.installed
TESTS ?=
# Two at a time, each on one thread; a file's tests stay together, since they share what took long to make.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile
CORPUS ?=
HOURS ?= 10
export CORPUS
NIGHT := egs/starter/overnight/run.sh --corpus "$$CORPUS"

.PHONY: help demo test overnight halfhour corpus clean

help:
	@echo 'make demo   install, then speak a sentence and write a codec report into demo/ (TEXT="...", PROMPT=voice.wav)'
	@echo 'make test   install, then run the tests (TESTS="tests/audio -k resample" for some of them)'
	@echo 'make overnight CORPUS=FOLDER   from recordings to a cloning voice on this CPU in HOURS=10; again: goes on'
	@echo 'make halfhour CORPUS=FOLDER    the same in half an hour on a GPU'
	@echo 'make clean  remove demo/ and .venv/'
	@echo
	@echo 'PYTHON=...  the Python 3.11 or later to make .venv with (now: $(PYTHON))'

demo: $(INSTALLED)
	@mkdir -p demo
	$(BIN)/speechgen say "$$TEXT" $(if $(PROMPT),--prompt "$$PROMPT",--voice kathleen) --out demo/say.wav
	$(BIN)/speechgen codec eval $(CLIPS) --kbps 1.5,3,6 --baselines opus,codec2 --limit 4 --out demo/codec
	@echo 'Listen to demo/say.wav, and open demo/codec/report.html. For more: . $(BIN)/activate, then speechgen --help'

test: $(INSTALLED)
	@if { command -v chromium && command -v chromedriver; } > /dev/null; then \
	  $(PYTEST) $(TESTS); \
	else \
	  $(PYTEST) -m 'not browser' $(TESTS); status=$$?; \
	  echo 'No Chromium with chromedriver here, so the browser tests were left out (apt-get install chromium chromium-driver).'; \
	  exit $$status; \
	fi

overnight: corpus $(INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(NIGHT) --hours $(HOURS) --device cpu --page docs/overnight.md

halfhour: corpus $(INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(NIGHT) --hours 0.5 --device cuda --limit 40 --tag halfhour --page docs/halfhour.md

corpus:
	@test -n "$$CORPUS" || { echo 'make: which recordings? CORPUS=FOLDER, with speechocean762, kathleen and kerstin' \
	  '(see egs/starter/overnight/README.md)' >&2; exit 2; }

# The stamp is written last: an installation that broke off is taken up again, a finished one costs nothing.
$(INSTALLED): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'make: $(PYTHON) is older than Python 3.11; give another one: make PYTHON=python3.12 ...' >&2; exit 2; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || \
	  { echo 'make: no virtual environment; on Debian: apt-get install python3-venv' >&2; rm -rf .venv; exit 2; }
	@echo 'Installing into .venv: some minutes, about 6 GB (PyTorch brings its CUDA libraries along).'
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --editable '.[eval,g2p,export,lora,dev]' || \
	  { echo 'make: trying without the extra [eval]: pesq and webrtcvad want a C compiler and Python.h (see speechgen doctor)' >&2; \
	    $(BIN)/python -m pip install --quiet --editable '.[g2p,export,lora,dev]'; }
	@touch $@

clean:
	rm -rf demo .venv
