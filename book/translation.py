"""The Chinese edition: Chinese texts in files beside the English ones, and the notebooks and pages that both make together.

A text's key is the id of its notebook's cell or the heading of its section. With it stand digests of the English and the Chinese, so that
whoever changes the one sees that the other has to follow. Code, outputs and figures are those of the English notebooks.
"""

import argparse
import dataclasses
import hashlib
import itertools
import json
import posixpath
import re
import sys
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[1]
LANGUAGE = "zh"
STALE = "> 本节英文原文已更新，译文尚未跟进。"
MISSING = "> 本节尚未翻译，以下为英文原文。"
NOT_TRANSLATED = ("book/reference.md",)  # generated from docstrings

_BLOCK = re.compile(r"<!-- (?P<key>\S+)(?: en:(?P<english>\w{8}) zh:(?P<chinese>\w{8}))? -->")
_TABLE = "| cell | digests | alternative text |\n|---|---|---|"
_ROW = re.compile(r"\| (?P<key>\S+) \|(?: en:(?P<english>\w{8}) zh:(?P<chinese>\w{8}))? \| (?P<text>.*) \|")
_LINK = re.compile(r"\]\((?P<path>(?!https?:)[^)\s#]*)(?P<fragment>#[^)\s]+)?\)")
_HAN = re.compile(r"[\u4e00-\u9fff]")


def digest(text: str) -> str:
    """Give the first digits of a text's SHA-256; blank lines around it do not count."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:8]


@dataclasses.dataclass
class Entry:
    """A Chinese text, with the digests of the English and the Chinese as they were when it was sealed, if it was."""

    text: str
    english: str | None = None
    chinese: str | None = None

    @property
    def changed(self):
        return self.chinese != digest(self.text)


class Translation:
    """A page or notebook, `source`, and the file of its Chinese texts, `path`; `english` and `entries` hold what is in them by key."""

    def __init__(self, root: Path, source: str):
        self.root, self.source = root, source
        self.path = root / ("README.zh-CN.md" if source == "README.md" else f"book/{LANGUAGE}/{_stem(source)}.md")
        self.original = (root / source).read_text(encoding="utf-8")
        self.english = _texts(json.loads(self.original)) if source.endswith(".ipynb") else sections(self.original)
        self.entries = parse(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}

    def states(self) -> dict[str, str]:
        """Say of each key whether it is sealed, unsealed (the Chinese is new), stale (only the English is), missing or unknown."""
        found = {key: self._state(key) for key in self.english}
        return found | {key: "unknown" for key in self.entries if key not in found}

    def _state(self, key):
        entry = self.entries.get(key)
        if entry is None:
            return "missing"
        if entry.changed:
            return "unsealed"
        return "sealed" if entry.english == digest(self.english[key]) else "stale"

    def draft(self) -> None:
        """Write the file with what it lacks, in English, to be translated in its place."""
        known = {key: self.entries.get(key) or Entry(text) for key, text in self.english.items()}
        self._write(known | self.entries)

    def seal(self, as_is: list[str]) -> dict[str, str]:
        """Write the digests of what has been translated; give the reason by key where that is to be doubted and not said to hold."""
        refused = {}
        for key, state in self.states().items():
            if state in ("unsealed", "stale"):
                entry = self.entries[key]
                if key not in as_is and state == "stale":
                    refused[key] = "its English has changed and its Chinese has not"
                elif key not in as_is and not _HAN.search(entry.text):
                    refused[key] = "it holds no Chinese"
                else:
                    entry.english, entry.chinese = digest(self.english[key]), digest(entry.text)
        self._write(self.entries)
        return refused

    def _write(self, entries):
        cells = _alternatives(json.loads(self.original)) if self.source.endswith(".ipynb") else {}
        parts, rows = [], [_TABLE]
        for key, entry in entries.items():
            digests = f" en:{entry.english} zh:{entry.chinese}" if entry.english else ""
            if key in cells:
                text = entry.text.replace("|", "\\|")
                rows.append(f"| {key} |{digests} | {text} |")
            else:
                parts.append(f"<!-- {key}{digests} -->\n{entry.text.strip()}\n")
        if rows[1:]:
            parts.append("\n".join([*rows, ""]))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("\n".join(parts), encoding="utf-8", newline="\n")

    def shown(self) -> dict[str, str]:
        """Give what the edition shows by key: the Chinese, or the English where there is none yet, with a line on what is behind."""
        cells = _alternatives(json.loads(self.original)) if self.source.endswith(".ipynb") else {}
        texts = {}
        for key, english in self.english.items():
            notice = {"missing": MISSING, "stale": STALE}.get(self._state(key))
            text = self.entries[key].text if key in self.entries else english
            texts[key] = _noticed(key, text, notice) if notice and key not in cells else text
        return texts

    def made(self, texts: dict[str, str]) -> str:
        """Make the Chinese notebook or page of texts by key."""
        if not self.source.endswith(".ipynb"):
            return "\n\n".join(texts.values()) + "\n"
        notebook = json.loads(self.original)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = texts[cell["id"]].splitlines(keepends=True)
            elif cell["id"] in texts:
                cell["metadata"]["mystnb"]["image"]["alt"] = texts[cell["id"]]
        return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _stem(source):
    return source.removeprefix("book/").rpartition(".")[0]


def _alternatives(notebook):
    cells = (cell for cell in notebook["cells"] if "mystnb" in cell["metadata"])
    return {cell["id"]: cell["metadata"]["mystnb"]["image"]["alt"] for cell in cells}


def _texts(notebook):
    markdown = {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"}
    return markdown | _alternatives(notebook)


def sections(page: str) -> dict[str, str]:
    """Split a page at its headings, and a glossary in it at its terms."""
    found: list[tuple[str, list[str]]] = [("top", [])]
    fence, glossary, before = "", False, ""
    for line in page.splitlines():
        if not fence and (opened := re.match(r" *(```+|:::+)", line)):
            fence, glossary = opened[1], line.endswith("{glossary}")
        elif not fence and line.startswith("#"):
            found.append((_slug(line), []))
        elif line.strip() == fence:
            fence = ""
        elif glossary and fence and line[:1].strip() and (not before or before.startswith(fence)):
            found.append((f"term:{_slug(line)}", []))
        found[-1][1].append(line)
        before = line
    texts = {}
    for key, lines in found:
        if text := "\n".join(lines).strip():
            number = next(number for number in itertools.count(1) if f"{key}~{number}".removesuffix("~1") not in texts)
            texts[f"{key}~{number}".removesuffix("~1")] = text
    return texts


def _slug(words):
    return re.sub(r"\W+", "-", words.lower()).strip("-")


def parse(text: str) -> dict[str, Entry]:
    """Read a file of Chinese texts."""
    blocks, _, rows = text.partition(_TABLE)
    entries: dict[str, Entry] = {}
    for line in blocks.splitlines():
        if match := _BLOCK.fullmatch(line):
            _add(entries, match, "")
        elif entries:
            [*_, last] = entries.values()
            last.text += line + "\n"
        elif line.strip():
            raise SystemExit(f"a file of Chinese texts must begin with <!-- KEY -->, got {line!r}")
    for entry in entries.values():
        entry.text = entry.text.strip()
    for line in filter(None, rows.splitlines()):
        match = _ROW.fullmatch(line)
        if not match:
            raise SystemExit(f"a row must read | KEY | DIGESTS | TEXT |, got {line!r}")
        _add(entries, match, match["text"].replace("\\|", "|"))
    return entries


def _add(entries, match, text):
    if match["key"] in entries:
        raise SystemExit(f"a key must stand once in a file, got {match['key']} twice")
    entries[match["key"]] = Entry(text, match["english"], match["chinese"])


def _noticed(key, text, notice):
    if key.startswith("term:"):
        return re.sub(r"^(?=  )", f"  {notice}\n\n", text, count=1, flags=re.MULTILINE)
    title, _, rest = text.partition("\n") if text.startswith("#") else ("", "", text)
    return "\n\n".join(filter(None, [title, notice, rest.strip()]))


def translations(root: Path = ROOT) -> list[Translation]:
    """List all that is translated, whether its file is there or not."""
    found = [root / "README.md", *sorted(root.glob("notebooks/**/*.ipynb")), *sorted(root.glob("book/**/*.md"))]
    names = [path.relative_to(root).as_posix() for path in found if ".ipynb_checkpoints" not in path.parts]
    return [Translation(root, name) for name in names if name not in NOT_TRANSLATED and not name.startswith(f"book/{LANGUAGE}/")]


def edition(root: Path = ROOT) -> dict[str, bytes]:
    """Make all files of the Chinese edition: notebooks, pages, and what their links lead to."""
    pages = {each.source: each for each in translations(root) if each.source != "README.md"}
    texts = {name: each.shown() for name, each in pages.items()}
    anchors = {name: _anchors(each.english, texts[name]) for name, each in pages.items()}
    files = {}
    for name, page in pages.items():

        def target(path, name=name):
            return posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name

        def relinked(match, target=target):
            fragment = match["fragment"] or ""
            return f"]({match['path']}{anchors.get(target(match['path']), {}).get(_slug(unquote(fragment)), fragment)})"

        made = page.made({key: _LINK.sub(relinked, text) for key, text in texts[name].items()})
        files[name] = made.encode()
        for match in itertools.chain.from_iterable(map(_LINK.finditer, texts[name].values())):
            linked = target(match["path"])
            if linked not in pages and (root / linked).is_file():
                files[linked] = (root / linked).read_bytes()
    return files


def _anchors(english, chinese):
    """Give by each English heading the fragment that leads to the Chinese one, as JupyterLab writes it."""

    def titles(text):
        return [part.splitlines()[0].lstrip("# ") for part in sections(text).values() if part.startswith("#")]

    pairs = (pair for key in english for pair in zip(titles(english[key]), titles(chinese[key]), strict=False))
    return {_slug(title): "#" + re.sub(r"[`*]", "", translated).replace(" ", "-") for title, translated in pairs}


def build(output: Path, root: Path = ROOT) -> None:
    """Write the edition to a folder. What a reader has changed there stays, beside a new version if there is one."""
    record = output / ".written.json"
    written = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    for name, content in edition(root).items():
        path, made = output / name, hashlib.sha256(content).hexdigest()
        if path.exists() and made != written.get(name):
            there = hashlib.sha256(path.read_bytes()).hexdigest()
            if there not in (made, written.get(name)):
                path.rename(path.with_name(f"changed-{there[:8]}-{path.name}"))
        if not path.exists() or made != written.get(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            written[name] = made
    record.write_text(json.dumps(written, indent=1), encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("language", choices=[LANGUAGE])
    commands = parser.add_subparsers(dest="command", help="without one, the edition is built into build/LANGUAGE/")
    commands.add_parser("status", help="list what is missing, stale, unsealed or unknown")
    draft = commands.add_parser("draft", help="write what a file lacks into it, in English, to be translated in its place")
    draft.add_argument("paths", nargs="+", metavar="PATH", help="a page or notebook, or the file of its Chinese texts")
    seal = commands.add_parser("seal", help="write the digests of what has been translated")
    seal.add_argument("paths", nargs="*", metavar="PATH", help="as above; all if none is given")
    seal.add_argument("--as-is", nargs="+", metavar="KEY", default=[], help="entries of one file that hold as they are")
    options = parser.parse_args(arguments)
    chosen = _chosen(getattr(options, "paths", []))
    if options.command is None:
        build(ROOT / "build" / options.language)
    elif options.command == "status":
        for each in chosen:
            for key, state in each.states().items():
                if state != "sealed":
                    print(f"{each.path.relative_to(ROOT).as_posix()}: {key} is {state}")
    elif options.command == "draft":
        for each in chosen:
            each.draft()
    else:
        if options.as_is and len(chosen) != 1:
            parser.error("--as-is needs the one PATH in which the keys are")
        refused = [
            f"{each.path.relative_to(ROOT).as_posix()}: {key} is not sealed, for {reason}"
            for each in chosen
            if each.path.exists()
            for key, reason in each.seal(options.as_is).items()
        ]
        if refused:
            sys.exit("\n".join([*refused, "Translate them, or name those that hold as they are: --as-is KEY"]))


def _chosen(paths):
    everything = translations()
    by_path = {path.resolve(): each for each in everything for path in (ROOT / each.source, each.path)}
    for path in paths:
        if Path(path).resolve() not in by_path:
            sys.exit(f"PATH must be a page or notebook that is translated, got {path}")
    return [by_path[Path(path).resolve()] for path in paths] or everything


if __name__ == "__main__":
    main()
