"""What this machine's processor is. Linux alone tells; elsewhere less is known."""

import platform
import re
from pathlib import Path


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def name() -> str:
    """Give the processor's name, for a record."""
    found = re.search(r"model name\s*: (.+)", _cpuinfo())
    return found[1] if found else platform.processor()  # which is empty on Linux


def multiplies_bfloat16() -> bool:
    """Say whether it multiplies in bfloat16; elsewhere each product goes through float32, several times slower than float32 itself."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(_cpuinfo().split())
