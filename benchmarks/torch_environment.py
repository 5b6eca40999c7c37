"""A virtual environment for PyTorch, which the benchmark alone needs: outside the project's pins, in ``build/``."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
from protocol import ROOT

VERSION = "2.13.0"
_FOLDER = ROOT / "build" / "bench-torch"
_PYTHON = Path(sysconfig.get_path("scripts", "venv", {"base": str(_FOLDER)}), "python")
_ABOUT = "import torch; print(torch.__version__, torch.backends.cpu.get_cpu_capability(), torch.__config__.show(), sep='\\n')"


def prepare():
    """Install PyTorch, unless it is there.

    Returns
    -------
    (Path, str), or None
        Its Python, and which build it is; None if PyTorch cannot be installed, as without a network.
    """
    about = _ask()
    if about is None:
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", _FOLDER], check=True)
            subprocess.run([_PYTHON, "-m", "pip", "install", "--quiet", f"torch=={VERSION}", f"numpy=={np.__version__}"], check=True)
        except subprocess.CalledProcessError:
            return None
        about = _ask()
    return about and (_PYTHON, describe(about))


def can_compile():
    """Say whether ``torch.compile`` finds the C++ compiler and the headers of Python that it needs."""
    return bool(shutil.which(os.environ.get("CXX", "g++"))) and Path(sysconfig.get_path("include"), "Python.h").exists()


def describe(about):
    """Say in a sentence which build of PyTorch it is.

    Examples
    --------
    >>> describe("2.13.0+cpu\\nAVX2\\nPyTorch built with:\\n  - GCC 13.3\\n  - Intel(R) MKL-DNN v3.12.0 (Git Hash 80af)\\n")
    'The PyTorch rows are of 2.13.0+cpu, AVX2, Intel(R) MKL-DNN v3.12.0.'
    """
    version, capability, *built_with = about.splitlines()
    libraries = [line.strip(" -").split(" (Git")[0].split(" for ")[0] for line in built_with if "MKL-DNN" in line or "Math Kernel" in line]
    return f"The PyTorch rows are of {', '.join([version, capability, *libraries])}."


def _ask():
    if not _PYTHON.exists():
        return None
    asked = subprocess.run([_PYTHON, "-c", _ABOUT], capture_output=True, text=True, check=False)
    return asked.stdout if asked.stdout.startswith(VERSION) else None
