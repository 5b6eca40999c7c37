"""What a Chinese text has in common with its English one, and how it is set: `faults` says what is wrong with one.

Both are read by the book's own parser, so that what is compared is what a page shows.
"""

import functools
import re
from collections import Counter
from pathlib import Path

import markdown_it.renderer
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

GLOSSARY = Path(__file__).parents[1] / "book/glossary.md"
HAN = r"[\u4e00-\u9fff]"
FULL_WIDTH = r"[，。；：！？、（）《》「」『』【】“”‘’…—]"
# Short forms of the glossary's names that are clear where they stand, and other senses of the English words.
ALSO = {
    "batch": ["批"],
    "checkerboard": ["棋盘"],
    "code": ["代码"],
    "epoch": ["轮"],
    "kernel": ["内核"],
    "multiply-add": ["乘加"],
    "noise": ["噪"],
    "one-cycle": ["单周期"],
    "seed": ["种子"],
    "sweep": ["扫描"],
    "test digits": ["测试"],
    "training digits": ["训练"],
    "validation digits": ["验证"],
    "weight": ["权"],
}
# One name for one thing: what is also said, but not here.
INSTEAD = {
    "去噪": "降噪",
    "自动编码器": "自编码器",
    "反卷积": "转置卷积",
    "批量": "批次",
    "棋盘效应": "棋盘状伪影",
    "棋盘格": "棋盘状",
    "步长": "步幅",
    "象素": "像素",
    "图象": "图像",
}
# How words are set, as what is wrong where a pattern is found.
WRONG = [
    ("a space is missing between Chinese and Latin letters or digits", rf"{HAN}[A-Za-z0-9]|[A-Za-z0-9%]{HAN}"),
    ("no space belongs beside a full-width mark", rf"\s{FULL_WIDTH}|{FULL_WIDTH}\s"),
    ("no space belongs between Chinese characters, and no two anywhere", rf"{HAN}\s+{HAN}|\s\s"),
    ("a half-width mark in a Chinese sentence", rf"{HAN} ?[,;:!?]|[,;:!?] ?{HAN}|{HAN}\.|(?<!^\d)\. ?{HAN}"),
    ("a half-width mark in a Chinese sentence", rf"{HAN} ?\(|\([^)]*{HAN}|[\"']{HAN}|{HAN}[\"']|{HAN}.*[.,:;?!]$"),
    ("write …… for an ellipsis, —— for a dash", r"\.\.\.|(?<!…)…(?!…)|(?<!—)—(?!—)"),
    ("letters, digits and spaces are half-width", r"[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\u3000]"),
]
SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS = {word: number for number, word in enumerate(SMALL.split())} | {word: 10 * tens for tens, word in enumerate(TENS.split(), 2)}
MONTHS = "january february march april may june july august september october november december"
WORDS |= {month: number for number, month in enumerate(MONTHS.split(), 1) if month != "may"}  # which is a verb
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}

_parser = create_md_parser(MdParserConfig(enable_extensions={"colon_fence", "dollarmath"}), markdown_it.renderer.RendererHTML)


class Read:
    """A Markdown text as it is read: what is `fixed` in any language, by kind, and the `words`, a string for each paragraph.

    In the words code and formulas stand as ``x``, since they are set like Latin letters. `own` are the words outside links to other sites,
    where titles are told.
    """

    def __init__(self, text):
        self.fixed = {kind: Counter() for kind in ("links", "code", "formulas", "blocks of code", "HTML", "headings", "parts", "emphasis")}
        self.targets, self.words, self.own, self.literal, self.breaks, self.fragile = Counter(), [], [], Counter(), 0, []
        self._walk(_parser.parse(text))

    def _walk(self, tokens):
        for token in tokens:
            directive = token.info.startswith("{")
            if token.type == "inline":
                self._inline(token.children)
            elif token.type == "colon_fence":
                self.fixed["blocks of code"][token.info] += 1
                self._walk(_parser.parse(token.content))
            elif token.type == "fence":
                captions = r"^:caption: (.*)\n" if directive else r"(?!)"
                self.words += re.findall(captions, token.content, re.MULTILINE)
                self.fixed["blocks of code"][token.info + "\n" + re.sub(captions, "", token.content, flags=re.MULTILINE)] += 1
            elif token.type.startswith("math"):
                self.fixed["formulas"][token.content.strip()] += 1
            elif token.type == "html_block":
                folded = re.findall(r"(?<=<summary>).*(?=</summary>)", token.content)
                self.words += folded
                self.own += folded
                self.fixed["HTML"][re.sub(r"(?<=<summary>).*(?=</summary>)", "", token.content).strip()] += 1
            elif token.type == "heading_open":
                self.fixed["headings"][token.tag] += 1
            elif token.type in ("list_item_open", "td_open", "th_open", "blockquote_open"):
                self.fixed["parts"][token.type.removesuffix("_open")] += 1

    def _inline(self, tokens):
        words, own, away = "", "", False
        for token, after in zip(tokens, [*tokens, None][1:], strict=True):
            said = ""
            if token.type == "text":
                said = token.content
                self.literal += Counter(re.findall(r"[*_`$]", said))
            elif token.type == "image":
                self.fixed["links"][token.attrs["src"]] += 1
                self.words.append(token.content)
                self.own.append(token.content)
            elif token.type == "link_open":
                self.fixed["links"][token.attrs["href"]] += 1
                away = token.attrs["href"].startswith("http")
            elif token.type == "link_close":
                away = False
            elif token.type in ("code_inline", "math_inline", "html_inline"):
                kind = {"code_inline": "code", "math_inline": "formulas", "html_inline": "HTML"}[token.type]
                self.fixed[kind][token.content] += 1
                said = "x"
            elif token.type == "myst_role":
                said, _, target = token.content.removesuffix(">").partition("<")
                self.targets[target or said] += 1
                said = said.strip()
            elif token.type in ("em_open", "strong_open"):
                self.fixed["emphasis"][token.tag] += 1
                if after.type == "text" and re.match(FULL_WIDTH, after.content):
                    self.fragile.append(after.content)
            elif token.type in ("softbreak", "hardbreak"):
                self.breaks += 1
                said = " "
            if token.type == "text" and after and after.type in ("em_close", "strong_close") and re.search(FULL_WIDTH + "$", said):
                self.fragile.append(said)
            words += said
            own += "" if away else said
        self.words.append(words)
        self.own.append(own)


@functools.cache
def names(chapter=""):
    """Give the glossary's terms, or those that a chapter explains: the English names of each, with the Chinese ones."""
    (block,) = re.findall(r"^```\{glossary\}\n(.*?)^```$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    found = {}
    for entry in block.strip().split("\n\n"):
        lines = [line for line in entry.split("\n") if not line.startswith("  ")]
        chinese = tuple(line for line in lines if re.search(HAN, line))
        if entry.rpartition("../notebooks/")[2].startswith(chapter):
            found[tuple(line for line in lines if line not in chinese)] = chinese
    return found


def unexplained(chapter, text):
    """List the terms that a chapter explains and whose English name it gives nowhere in brackets; of those that Chinese has, not PCA."""
    bracketed = " ".join(re.findall(r"（[^（）]*[A-Za-z][^（）]*）", text)).lower()
    own = (terms for terms, chinese in names(chapter).items() if not re.search("[A-Za-z]", "".join(chinese)))
    return [terms[0] for terms in own if not any(term.lower() in bracketed for term in terms)]


def number_words(text):
    """Give the numbers that an English text says in words."""
    found, value = set(), 0
    for word in re.findall(r"[a-z]+|[^a-z\s-]", text.lower()):
        if word not in WORDS and word.removesuffix("s") in WORDS:  # of digits, as "sevens"
            word = word.removesuffix("s")
        if word in SCALES:
            value = max(value, 1) * SCALES[word]
        elif word in WORDS:
            value = value + WORDS[word] if value and value % 10 == 0 and WORDS[word] < 10 else WORDS[word]
        else:
            value = 0
            continue
        found |= {str(value), f"{value:,}"}
    return found


def numerals(words):
    return Counter(re.findall(r"\d+(?:[.,]\d+)*|[¼½¾]", " ".join(words)))


def faults(key, english, chinese):
    """List what is wrong with a Chinese text, in words for who mends it."""
    found = []
    if key.startswith("term:"):
        (terms, english), (others, chinese) = _entry(english), _entry(chinese)
        found = [] if terms == others else [f"terms: {_difference(terms, others)}"]
    before, after = Read(english), Read(chinese)
    return [*found, *_unlike(before, after), *_misspelt(before, after), *_misnamed(before, chinese)]


def _entry(text):
    """Split an entry of the glossary into its terms and what is said of them."""
    lines = text.removesuffix("```").strip().split("\n")
    said = [line.strip() for line in lines if line.startswith("  ")]
    return Counter(line for line in lines if not line.startswith("  ")), "\n".join(said)


def _difference(before, after):
    return f"only in English {sorted((before - after).elements())}, only in Chinese {sorted((after - before).elements())}"


def _same_page(links):
    """A link to the Chinese edition of a page is one to the page."""
    return Counter(link.replace("README.zh-CN.md", "README.md").replace("book/zh/", "book/") for link in links.elements())


def _unlike(english, chinese):
    for kind, before in english.fixed.items():
        after = chinese.fixed[kind]
        if kind == "links":
            before, after = _same_page(before), _same_page(after)
        if before != after:
            yield f"{kind}: {_difference(before, after)}"
    group = {name: terms for terms, chinese_names in names().items() for name in (*terms, *chinese_names)}
    before, after = (Counter(group.get(target, target) for target in each.targets.elements()) for each in (english, chinese))
    if before != after:
        yield f"links to the glossary: {_difference(Counter(map(str, before.elements())), Counter(map(str, after.elements())))}"
    before, after = numerals(english.words), numerals(chinese.words)
    said = number_words(" ".join(english.words))
    if before - after or any(number not in said for number in after - before):
        yield f"numbers: {_difference(before, after)}"
    if chinese.literal != english.literal:
        yield f"marks that stay as they are: {_difference(english.literal, chinese.literal)}"


def _misspelt(english, chinese):
    text = " ".join(chinese.own)
    count = sum(len(re.findall(r"[A-Za-z]{2,}", words)) for words in english.own)
    if len(re.findall(HAN, text)) < 0.4 * count:
        yield "left in English"
    for run in re.findall(r"\b[a-z]+(?: [a-z]+){5,}", text):
        yield f"left in English: {run}"
    if chinese.breaks:
        yield "a paragraph or item must be one line: a line break shows as a space"
    for words in chinese.fragile:
        yield f"emphasis must begin and end with a word, not with a full-width mark: {words}"
    for words in chinese.words:
        for reason, pattern in WRONG:
            if match := re.search(pattern, words):
                yield f"{reason}: {words[max(match.start() - 8, 0) : match.end() + 8]!r}"


def _misnamed(english, chinese):
    left = " ".join(english.own).lower().replace("-", " ")
    every = sorted(((term, terms) for terms in names() for term in terms), key=lambda pair: -len(pair[0]))
    for term, terms in every:
        pattern = rf"\b{re.escape(term.lower().replace('-', ' '))}(?:e?s)?\b"
        if re.search(pattern, left):
            left = re.sub(pattern, " ", left)
            wanted = [*names()[terms], *(short for name in terms for short in ALSO.get(name, []))]
            # A name that Chinese leaves as it is, such as PCA, and what stands before brackets.
            wanted += [name for name in terms if re.search(r"[A-Z]", name)]
            wanted += [part for name in names()[terms] for part in re.findall(rf"^{HAN}+(?=（)|[A-Z]\w{{3,}}", name)]
            if not any(name.lower() in chinese.lower() for name in wanted):
                yield f"{term} is {' or '.join(names()[terms])}"
    for name, better in INSTEAD.items():
        if name in chinese and not (name == "反卷积" and "deconvolution" in left):
            yield f"{name} is called {better} here"
