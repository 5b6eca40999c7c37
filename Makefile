# Every target is a few plain commands, which can be typed as well (README.md, "Without make"). The first use installs into .venv.

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

# With LANGUAGE=zh the chapters in Chinese, made first. What a session calls its LANGUAGE, for gettext, asks for nothing here.
ifeq ($(origin LANGUAGE),command line)
IN = .venv/bin/python book/translation.py $(LANGUAGE) && cd build/$(LANGUAGE) && ../../
WHERE = && echo "That is, in build/$(LANGUAGE)/build/run"
endif

run: .venv/installed  ## execute the chapters in order, into build/run/
	$(IN).venv/bin/python -m convae_nb run all$(WHERE)

lab: .venv/installed  ## open the first chapter in JupyterLab
	$(IN).venv/bin/python -m convae_nb lab

app: .venv/installed  ## open the noise explorer as a page of its own, served to this machine alone
	.venv/bin/python -m voila notebooks/noise_explorer.ipynb --Voila.ip=127.0.0.1

MARKED = -m "not slow and not long"
test: .venv/installed-dev  ## lint the code, run the quick tests, compare the stored chapters with fresh outputs
	.venv/bin/python -m ruff check
	.venv/bin/python -m ruff format --check
	.venv/bin/lint-imports --no-logo
	.venv/bin/python -m mypy
	.venv/bin/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder $(MARKED) --nbval-lax --nbval-current-env --nbval-cell-timeout=600 notebooks tests convae_nb

test-all:  ## the same with the slow tests and the shorter ones of solutions and side notebooks
	@$(MAKE) test MARKED='-m "not long"'

test-long: .venv/installed-dev  ## what takes minutes each: solutions and side notebooks that train for long, more peers
	@$(MAKE) test MARKED='-m long'

notebooks: .venv/installed  ## execute the stored chapters again, in place
	.venv/bin/python -m convae_nb store

reference: .venv/installed  ## train the reference runs, to be stored; killed, it goes on where it was
	.venv/bin/python -m convae_nb reference

bench: .venv/installed  ## measure speed beside other ways to compute the same: an hour and a half, on a machine at rest
	.venv/bin/python benchmarks/bench.py

images: .venv/installed-dev  ## draw the pictures of README and chapters
	.venv/bin/python images/make.py

book: .venv/installed-dev  ## build chapters, reference and what else there is to read into build/book/, in Chinese into its zh/
	.venv/bin/python book/make.py

COMPILE = .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate $(UPGRADE)
# The pins as lines for pyproject.toml. Of a package that is pinned twice also the marker, which says where each pin counts.
PINS = awk -F' ; | \\\\$$' '/^[a-z]/ { split($$1, pin, "=="); if (NR == FNR) times[pin[1]]++; \
	else print "    \"" $$1 (times[pin[1]] > 1 ? " ; " $$2 : "") "\"," }' requirements-dev.txt requirements-dev.txt
# The old pins are taken out of pyproject.toml first: they would bind uv.
pins: .venv/pyvenv.cfg  ## pin what requirements*.in ask for; newest versions: make pins UPGRADE=--upgrade
	.venv/bin/python -m pip install uv
	sed -i.old '/^constraint-dependencies/,/^]/ { /^    /d; }' pyproject.toml
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) -c requirements.txt requirements-dev.in -o requirements-dev.txt
	$(PINS) >pyproject.toml.pins
	sed -i.old '/^constraint-dependencies/r pyproject.toml.pins' pyproject.toml
	rm pyproject.toml.pins pyproject.toml.old

.PHONY: help run lab app test test-all test-long notebooks reference bench images book pins

.venv/installed: .venv/pyvenv.cfg requirements.txt pyproject.toml
	.venv/bin/python -m pip install -r requirements.txt
	.venv/bin/python -m pip install --no-deps --no-build-isolation -e .
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	.venv/bin/python -m pip install --quiet -r requirements-dev.txt
	@touch $@

# A .venv left half made, moved here from elsewhere, or whose Python is gone or does not serve says nothing here, and is made again.
ifeq ($(shell .venv/bin/pip --version 2>/dev/null | grep 'python 3\.1[123]'),)
.PHONY: .venv/pyvenv.cfg
endif

# On an Intel Mac the pinned requirements all fall away: pip would install nothing, and succeed.
# Python 3.11.4 brought the filters of tarfile: an older one is named in full, which is none that serves.
VERSION = import platform, sys; print(("%d.%d" % sys.version_info[:2] if sys.version_info >= (3, 11, 4) else platform.python_version()) + \
	" for an Intel Mac, where TensorFlow has no wheel" * (platform.system() + platform.machine() == "Darwinx86_64"))

# The first name that answers with a version that serves; one that does not start (a shim of pyenv, say) is passed over.
.venv/pyvenv.cfg:
	@set -- python3 python3.13 python3.12 python3.11 python; test -z "$(PYTHON)" || set -- "$(PYTHON)"; found=; \
	for python; do \
		version=$$("$$python" -c '$(VERSION)' 2>/dev/null) || continue; \
		case $$version in 3.11 | 3.12 | 3.13) \
			words=$$("$$python" -m venv --clear .venv 2>&1) && exit; \
			rm -rf .venv; \
			case $$words in *"ensurepip is not"* | *"No module named"*) \
				words="convae needs the venv package of Python, which $$python lacks: apt install python3-venv (or python$$version-venv)";; \
			esac; \
			echo "$$words" >&2; exit 1;; \
		esac; \
		found=$${found:-$$version}; \
	done; \
	echo "convae needs Python 3.11, 3.12 or 3.13; found $${found:-none}: install one, or name it: make run PYTHON=/path/to/python3.12" >&2; exit 1
