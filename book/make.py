"""Build the book, into build/book or the folder that is named: `make book`."""

import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.cmd import build

from convae_nb import live

BOOK = Path(__file__).parent
ROOT = BOOK.parent
BESIDE = ["notebooks/*.ipynb", "notebooks/solutions/*.ipynb", "images/*.png", "notebooks/images/*.png", "benchmarks/RESULTS.md"]


def gather(pages):
    """Copy what the book shows to one folder, to which Sphinx adds the pages of the reference."""
    paths = {path: path.relative_to(BOOK) for path in BOOK.rglob("*.md") if not path.is_relative_to(BOOK / "zh")}
    paths |= {path: path.relative_to(ROOT) for pattern in BESIDE for path in ROOT.glob(pattern)}
    for path, there in paths.items():
        (pages / there).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, pages / there)


output = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/book"
if (output / ".buildinfo").exists():  # an earlier book, maybe with pages that are no more
    shutil.rmtree(output)
live.write(output / "_static")
with tempfile.TemporaryDirectory(prefix="convae-book-") as pages:
    gather(Path(pages))
    options = ["--fail-on-warning", "--keep-going", "--quiet", "-c", BOOK, "-d", Path(pages, ".doctrees")]
    sys.exit(build.main([str(each) for each in (*options, pages, output)]))
