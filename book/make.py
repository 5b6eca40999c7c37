"""Build the book, into build/book or the folder that is named, and there into zh/ the Chinese one: `make book`."""

import gc
import re
import shutil
import sys
import tempfile
from pathlib import Path

import languages
import translation
from sphinx.cmd import build

from convae_nb import live

BOOK = Path(__file__).parent
ROOT = BOOK.parent
BESIDE = ["notebooks/*.ipynb", "notebooks/solutions/*.ipynb", "images/*.png", "notebooks/images/*.png", "benchmarks/RESULTS.md"]


def english():
    """Give what the book shows, by its place there; Sphinx adds the pages of the reference."""
    paths = [path for path in BOOK.rglob("*.md") if not path.is_relative_to(BOOK / translation.LANGUAGE)]
    paths += [path for pattern in BESIDE for path in ROOT.glob(pattern)]
    return {_place(path.relative_to(ROOT).as_posix()): path.read_bytes() for path in paths}


def chinese():
    """Give the same in Chinese, with words for the theme; of a page that is in English alone the title, as the table of contents has it."""
    words = {path.relative_to(BOOK).as_posix(): path.read_bytes() for path in BOOK.rglob("*.po")}
    titles = {
        place: re.findall(rb"^# .*", content, re.MULTILINE)[0]
        for place, content in english().items()
        if place.endswith(".md") and place.removesuffix(".md") not in languages.IN_BOTH
    }
    return {_place(name): content for name, content in translation.edition().items()} | titles | words


def _place(name):
    return name.removeprefix("book/")


def write(files, output, *options):
    """Build a book of files by their places."""
    with tempfile.TemporaryDirectory(prefix="convae-book-") as pages:
        for place, content in files.items():
            path = Path(pages, place)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        options = ["--fail-on-warning", "--keep-going", "--quiet", "-c", BOOK, "-d", Path(pages, ".doctrees"), *options]
        return build.main([str(each) for each in (*options, pages, output)])


output = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/book"
if (output / ".buildinfo").exists():  # an earlier book, maybe with pages that are no more
    shutil.rmtree(output)
live.write(output / "_static")
gc.disable()  # documents are trees that last until their book is built: to look for garbage among them takes a sixth of the time
sys.exit(max(write(english(), output), write(chinese(), output / translation.LANGUAGE, "-t", translation.LANGUAGE)))
