"""Build the book, into build/book or the folder that is named: `make book`."""

import shutil
import sys
from pathlib import Path

from sphinx.cmd import build

BOOK = Path(__file__).parent
ROOT = BOOK.parent
PAGES = ROOT / "build/book-pages"
BESIDE = ["notebooks/*.ipynb", "notebooks/solutions/*.ipynb", "images/*.png", "benchmarks/RESULTS.md", "CONTRIBUTING.md", "CHANGELOG.md"]


def gather():
    """Copy what the book shows to one place, where Sphinx adds the pages of the reference."""
    shutil.rmtree(PAGES, ignore_errors=True)
    paths = {path: path.relative_to(BOOK) for path in BOOK.rglob("*.md")}
    paths |= {path: path.relative_to(ROOT) for pattern in BESIDE for path in ROOT.glob(pattern)}
    for path, there in paths.items():
        (PAGES / there).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, PAGES / there)


output = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/book"
gather()
sys.exit(build.main(["--fail-on-warning", "--keep-going", "--quiet", "-c", str(BOOK), str(PAGES), str(output)]))
