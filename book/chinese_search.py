"""Search for Chinese text, which has no spaces between words: it is found by the pairs of characters that stand side by side.

Words cut out by a dictionary would serve less. jieba, which Sphinx takes for it, knows few terms of this field: it cuts 转置卷积 in two,
and 棋盘状伪影 together with what stands behind it; and a browser, which has no dictionary, does not cut a query at all. Besides, Sphinx
9.0 calls for a Chinese stemmer that it does not have (its issue 14229), and finds nothing.
"""

import itertools
import re

from sphinx.search.en import SearchEnglish

_HAN = "[\u3400-\u9fff]"
_RUN = re.compile(rf"{_HAN}+|(?:(?!{_HAN})\w)+")


class SearchChinese(SearchEnglish):
    """English words are searched for as in the English book, whose stemmer it takes by the inherited name."""

    lang = "zh_CN"
    # As `split`, but for single characters: a page that has the pairs has them as well.
    js_splitter_code = r"""
var splitQuery = (query) =>
  (query.match(/[\u3400-\u9fff]+|(?:(?![\u3400-\u9fff])[\p{Letter}\p{Number}_])+/gu) ?? []).flatMap((run) =>
    /[\u3400-\u9fff]{2}/.test(run) ? Array.from({ length: run.length - 1 }, (_, i) => run.slice(i, i + 2)) : [run]);
"""

    def split(self, input):
        return [part for run in _RUN.findall(input) for part in _parts(run)]


def _parts(run):
    """Give the characters of Chinese text and its pairs of neighbours, and a word of another language as it is."""
    return [*run, *map("".join, itertools.pairwise(run))] if re.match(_HAN, run) else [run]
