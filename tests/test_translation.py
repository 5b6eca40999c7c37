"""The Chinese edition: how a text is kept beside its English one, and whether each says the same."""

import json
import re
import sys
from pathlib import Path

import chinese
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book"))
import translation  # noqa: E402

ALL = {each.source: each for each in translation.translations()}
every_translated = pytest.mark.parametrize("source", sorted(source for source, each in ALL.items() if each.path.exists()))
PAGE = """\
Before.

# A page

Words, and [a link](other.md#some-words).

```sh
# no heading
```

## Some words

More.
"""
GLOSSARY = """\
# Glossary

```{glossary}
code
编码
  What is small.

noise
噪声
  What spoils.

  All of it.
```
"""


def cell(kind, key, text, **metadata):
    return {"cell_type": kind, "id": key, "metadata": metadata, "source": text.splitlines(keepends=True)} | (
        {"outputs": [{"output_type": "stream", "name": "stdout", "text": ["](page.md#some-words)\n"]}], "execution_count": 1}
        if kind == "code"
        else {}
    )


@pytest.fixture
def root(tmp_path):
    """A small repository: a page, a glossary, a notebook with a figure, and a picture."""
    alt = {"image": {"alt": "Rows | columns"}}
    cells = [
        cell("markdown", "intro", "# A chapter\n\n[Some words](../book/page.md#some-words)\n\n![A picture](images/road.png)"),
        cell("code", "figure", "print(1)", mystnb=alt, tags=["hide-input"]),
    ]
    files = {
        "README.md": "# Project\n",
        "book/page.md": PAGE,
        "book/glossary.md": GLOSSARY,
        "book/reference.md": "# Reference\n",
        "notebooks/01_chapter.ipynb": json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n",
        "notebooks/images/road.png": "a picture",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def translated(root, source, **texts):
    """A translation whose texts by key are as given, sealed."""
    each = translation.Translation(root, source)
    each.draft()
    for key, text in texts.items():
        change(each.path, each.english[key], text)
    each = translation.Translation(root, source)
    each.seal([])
    return translation.Translation(root, source)


def change(path, before, after):
    text = path.read_text(encoding="utf-8")
    assert before.replace("|", "\\|") in text
    path.write_text(text.replace(before.replace("|", "\\|"), after), encoding="utf-8")


# --- texts and their keys


def test_a_page_is_split_at_its_headings_but_not_at_comments_in_code():
    found = translation.sections(PAGE)
    assert list(found) == ["top", "a-page", "some-words"]
    assert found["some-words"] == "## Some words\n\nMore."
    assert "\n\n".join(found.values()) == PAGE.strip()


def test_a_glossary_is_split_at_its_terms_too():
    found = translation.sections(GLOSSARY)
    assert list(found) == ["glossary", "term:code", "term:noise"]
    assert found["term:noise"] == "noise\n噪声\n  What spoils.\n\n  All of it.\n```"


def test_headings_that_are_alike_have_numbers():
    assert list(translation.sections("# A\n# A\n## A!\n# A 2")) == ["a", "a~2", "a~3", "a-2"]


def test_texts_are_keyed_by_cells_and_include_alternative_texts(root):
    each = translation.Translation(root, "notebooks/01_chapter.ipynb")
    assert list(each.english) == ["intro", "figure"]
    assert each.english["figure"] == "Rows | columns"
    assert each.path == root / "book/zh/notebooks/01_chapter.md"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("words\n<!-- a -->\n", "must begin with"),
        ("<!-- a -->\n<!-- a -->\n", "a twice"),
        ("<!-- a -->\n| cell | digests | alternative text |\n|---|---|---|\nwords\n", "a row must read"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(text, said):
    with pytest.raises(SystemExit, match=said):
        translation.parse(text)


def test_what_is_written_is_read_again(root):
    each = translated(root, "notebooks/01_chapter.ipynb", figure="行 | 列", intro="# 一章\n\n正文")
    assert {key: entry.text for key, entry in each.entries.items()} == {"intro": "# 一章\n\n正文", "figure": "行 | 列"}
    written = each.path.read_text(encoding="utf-8")
    each.draft()
    assert each.path.read_text(encoding="utf-8") == written


# --- states and seals


def test_a_text_is_missing_then_unsealed_then_sealed(root):
    each = translation.Translation(root, "book/page.md")
    assert set(each.states().values()) == {"missing"}
    each.draft()
    each = translation.Translation(root, "book/page.md")
    assert set(each.states().values()) == {"unsealed"}
    change(each.path, "Before.", "前言。")
    each = translation.Translation(root, "book/page.md")
    assert set(each.seal([])) == {"a-page", "some-words"}
    assert each.states() == {"top": "sealed", "a-page": "unsealed", "some-words": "unsealed"}


def test_a_changed_english_text_makes_its_own_entry_stale(root):
    translated(root, "book/page.md", top="前言。", **{"a-page": "# 一页", "some-words": "## 一些话"})
    change(root / "book/page.md", "More.", "Much more.")
    each = translation.Translation(root, "book/page.md")
    assert each.states() == {"top": "sealed", "a-page": "sealed", "some-words": "stale"}


def test_a_stale_text_is_not_sealed_as_it_is_unless_its_key_is_named(root):
    translated(root, "book/page.md", top="前言。")
    change(root / "book/page.md", "Before.", "Long before.")
    each = translation.Translation(root, "book/page.md")
    assert "its Chinese has not" in each.seal([])["top"]
    assert translation.Translation(root, "book/page.md").states()["top"] == "stale"
    assert "top" not in each.seal(["top"])
    assert translation.Translation(root, "book/page.md").states()["top"] == "sealed"


def test_a_stale_text_is_sealed_once_it_is_translated_anew(root):
    each = translated(root, "book/page.md", top="前言。")
    change(root / "book/page.md", "Before.", "Long before.")
    change(each.path, "前言。", "很久以前。")
    each = translation.Translation(root, "book/page.md")
    assert "top" not in each.seal([])
    assert translation.Translation(root, "book/page.md").states()["top"] == "sealed"


def test_an_entry_whose_cell_is_gone_is_unknown_and_kept(root):
    each = translated(root, "book/page.md", **{"some-words": "## 一些话"})
    change(root / "book/page.md", "## Some words", "## Other words")
    each = translation.Translation(root, "book/page.md")
    assert {key: state for key, state in each.states().items() if "words" in key} == {"some-words": "unknown", "other-words": "missing"}
    each.draft()
    assert "一些话" in each.path.read_text(encoding="utf-8")


def test_the_commands_name_files_and_keys(root, monkeypatch, capsys):
    monkeypatch.setattr(translation, "ROOT", root)
    monkeypatch.setattr(translation, "translations", lambda root=root, real=translation.translations: real(root))
    translation.main(["zh", "draft", str(root / "book/page.md")])
    change(root / "book/zh/page.md", "Before.", "前言。")
    with pytest.raises(SystemExit, match=r"book/zh/page\.md: some-words is not sealed"):
        translation.main(["zh", "seal", str(root / "book/zh/page.md")])
    translation.main(["zh", "seal", str(root / "book/page.md"), "--as-is", "a-page", "some-words"])
    capsys.readouterr()
    translation.main(["zh", "status"])
    listed = capsys.readouterr().out
    assert "book/zh/notebooks/01_chapter.md: figure is missing" in listed
    assert "page" not in listed
    with pytest.raises(SystemExit, match="is translated, got nothing"):
        translation.main(["zh", "draft", "nothing"])


# --- the edition


def test_the_edition_has_the_code_of_the_source_and_the_words_of_the_translation(root):
    translated(root, "notebooks/01_chapter.ipynb", intro="# 一章", figure="行")
    files = translation.edition(root)
    made, source = (json.loads(text) for text in (files["notebooks/01_chapter.ipynb"], (root / "notebooks/01_chapter.ipynb").read_text()))
    assert made["cells"][0]["source"] == ["# 一章"]
    assert made["cells"][1]["metadata"].pop("mystnb") == {"image": {"alt": "行"}}
    source["cells"][1]["metadata"].pop("mystnb")
    assert made["cells"][1] == source["cells"][1]


def test_the_edition_has_what_its_links_lead_to_and_no_more(root):
    assert set(translation.edition(root)) == {
        "book/page.md",
        "book/glossary.md",
        "notebooks/01_chapter.ipynb",
        "notebooks/images/road.png",
    }


def test_links_to_headings_lead_to_the_chinese_ones(root):
    translated(root, "book/page.md", **{"some-words": "## 一些 `词`，及其他"})
    text = json.loads(translation.edition(root)["notebooks/01_chapter.ipynb"])["cells"][0]["source"]
    assert "[Some words](../book/page.md#一些-词，及其他)\n" in text


def test_what_is_stale_or_missing_says_so_below_its_heading(root):
    translated(root, "book/page.md", top="前言。", **{"some-words": "## 一些话\n\n再说几句。"})
    change(root / "book/page.md", "More.", "Much more.")
    made = translation.edition(root)["book/page.md"].decode()
    assert made.startswith("前言。\n")
    assert f"# A page\n\n{translation.MISSING}\n\nWords" not in made  # drafted, and so in somebody's hands
    assert f"## 一些话\n\n{translation.STALE}\n\n再说几句。" in made


def test_a_term_that_is_missing_says_so_in_its_definition(root):
    made = translation.edition(root)["book/glossary.md"].decode()
    assert f"noise\n噪声\n  {translation.MISSING}\n\n  What spoils." in made


def test_a_build_follows_the_source_and_keeps_what_a_reader_changed(root, tmp_path):
    output = tmp_path / "build"
    translation.build(output, root)
    page = output / "book/page.md"
    page.write_text("own words", encoding="utf-8")
    translation.build(output, root)
    assert page.read_text(encoding="utf-8") == "own words"
    change(root / "book/page.md", "More.", "Much more.")
    translation.build(output, root)
    assert "Much more." in page.read_text(encoding="utf-8")
    (kept,) = output.glob("book/changed-*-page.md")
    assert kept.read_text(encoding="utf-8") == "own words"


# --- what is compared


GOOD = {
    "Two of **128** numbers, [as here](page.md): `code` and $x^2$.": "128 个数中的**两个**，[见此处](page.md)：`code` 与 $x^2$。",
    "Twenty-five weights for 1,000 pixels.": "1,000 个像素，25 个权重。",
    "The *convolution* of a transposed convolution.": "转置卷积中的*卷积*（convolution）。",
    "PSNR in dB of PCA": "PCA 的 PSNR，单位 dB",
    "1. One\n2. Two": "1. 其一\n2. 其二",
    "Y. LeCun, [Gradient-based learning](https://doi.org/x), 1998: where MNIST comes from.": (
        "Y. LeCun, [Gradient-based learning](https://doi.org/x), 1998：MNIST 的出处。"
    ),
    "{term}`Feature maps <feature map>` of half the size": "大小减半的{term}`特征图`",
}


@pytest.mark.parametrize("english", GOOD)
def test_a_good_text_has_no_faults(english):
    assert chinese.faults("key", english, GOOD[english]) == []


@pytest.mark.parametrize(
    ("english", "text", "said"),
    [
        ("It has 3 layers.", "它有 4 层。", "numbers"),
        ("It has layers.", "它有 3 层。", "numbers"),
        ("See [here](a.md).", "见[此处](b.md)。", "links"),
        ("Call `a`.", "调用 `b`。", "code"),
        ("Take $x$.", "取 $y$。", "formulas"),
        ("*Two* words", "两个词", "emphasis"),
        ("**Note:** words.", "**注意：**说明。", "marks that stay"),
        ("**Note:** words.", "**注意：** 说明。", "emphasis must begin and end"),
        ("It is _here_.", "它在_这里_。", "marks that stay"),
        ("```sh\nmake\n```", "```sh\nmake run\n```", "blocks of code"),
        ("# A title", "## 标题", "headings"),
        ("- one\n- two", "- 一和二", "parts"),
        ("A picture has many words", "A picture has many words", "left in English"),
        ("It is a long walk home, and dark.", "回家的路 is a long walk home and dark 很远很黑很长很暗很久很远。", "left in English: is a"),
        ("One line.", "第一行，\n第二行。", "line break"),
        ("A GPU", "一个GPU", "a space is missing"),
        ("Take `x`", "取`x`", "a space is missing"),
        ("Here, there", "这里， 那里", "no space belongs beside"),
        ("Here and there", "这里 那里", "no space belongs between"),
        ("Here, there", "这里,那里", "half-width"),
        ("It is here.", "它在这里.", "half-width"),
        ("Here (there)", "这里 (那里)", "half-width"),
        ("Wait", "等等...", "……"),
        ("The autoencoder", "这个网络", "autoencoder is 自编码器"),
        ("transposed convolutions", "反卷积", "反卷积 is called 转置卷积"),
        ("![A three](a.png)", "![A three](a.png)", "left in English"),
        ("{term}`noise` here", "此处的{term}`权重`与噪声", "links to the glossary"),
    ],
)
def test_a_fault_is_named(english, text, said):
    assert any(said in fault for fault in chinese.faults("key", english, text)), chinese.faults("key", english, text)


def test_numbers_in_words_may_be_digits():
    assert {"25", "200", "1,000", "13"} <= chinese.number_words("Twenty-five of two hundred, thirteen of a thousand one thousand")


# --- the translations themselves


def test_every_page_and_notebook_is_translated():
    assert [source for source, each in ALL.items() if not each.path.exists()] == []


@every_translated
def test_every_text_is_translated_and_follows_the_english(source):
    behind = [f"{key} is {state}" for key, state in ALL[source].states().items() if state != "sealed"]
    assert not behind, f"{ALL[source].path.name}: {', '.join(behind)}; see CONTRIBUTING.md, Change a text"


@every_translated
def test_a_text_says_in_good_chinese_what_the_english_says(source):
    each = ALL[source]
    pairs = {key: (text, each.entries[key].text) for key, text in each.english.items() if key in each.entries}
    found = [f"{key}: {fault}" for key, pair in pairs.items() for fault in chinese.faults(key, *pair)]
    assert not found, "\n".join([each.path.name, *found])


def test_a_chapter_gives_the_english_name_of_what_it_explains():
    assert {"batch", "nat", "noise"} <= set(chinese.unexplained("01_data", "一个批次、熵下界（entropy floor）"))
    assert "entropy floor" not in chinese.unexplained("01_data", "一个批次、熵下界（entropy floor）")
    for source, each in ALL.items():
        if each.entries and re.match(r"notebooks/\d", source):
            text = "\n".join(entry.text for entry in each.entries.values())
            assert not chinese.unexplained(Path(source).stem, text), source


@pytest.fixture(scope="module")
def edition():
    return translation.edition()


@pytest.mark.parametrize("source", [source for source in ALL if source.endswith(".ipynb")])
def test_code_and_outputs_are_those_of_the_source(edition, source):
    made, stored = (json.loads(text)["cells"] for text in (edition[source], ALL[source].original))
    for ours, theirs in zip(made, stored, strict=True):
        if theirs["cell_type"] == "code":
            for each in (ours, theirs):
                each["metadata"].get("mystnb", {}).get("image", {}).pop("alt", None)
            assert ours == theirs
        assert ours["id"] == theirs["id"]


@pytest.mark.parametrize("source", sorted(set(ALL) - {"README.md"}))
def test_links_of_the_edition_lead_to_its_files(edition, source):
    text = edition[source].decode()
    if source.endswith(".ipynb"):
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")
    for target in re.findall(r"\]\((?!https?:|#)([^)\s#]+)", text):
        there = ((ROOT / source).parent / target).resolve().relative_to(ROOT).as_posix()
        assert there in {*edition, *translation.NOT_TRANSLATED}, target
