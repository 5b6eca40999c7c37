"""One book in two languages, for Sphinx: a page leads to the same page in the other, and Chinese ones to what is in English alone.

The Chinese book lies in a folder of the English one, so all these links are relative, and hold wherever the books are put.
"""

import translation
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util.osutil import relative_uri

# By their names in the book; index and search are made by Sphinx, for each language.
IN_BOTH = {each.source.removeprefix("book/").rpartition(".")[0] for each in translation.translations()} | {"genindex", "search"}


class ChineseBuilder(StandaloneHTMLBuilder):
    """Writes no page that is in English alone: what leads to it leads into the English book."""

    def get_target_uri(self, docname, typ=None):
        uri = super().get_target_uri(docname, typ)
        return uri if docname in IN_BOTH else f"../{uri}"

    def write_documents(self, docnames):
        super().write_documents(docnames & IN_BOTH)


def setup(app):
    app.connect("html-page-context", _lead_to_the_other)
    if app.tags.has(translation.LANGUAGE):
        app.add_builder(ChineseBuilder, override=True)


def _lead_to_the_other(app, name, template, context, doctree):
    """Tell the template of the same page in the other language, and programs as well."""
    if name not in IN_BOTH:
        return
    english, chinese = f"{name}.html", f"{translation.LANGUAGE}/{name}.html"
    if app.tags.has(translation.LANGUAGE):
        other = {"tag": "en", "name": "English", "uri": relative_uri(chinese, english)}
    else:
        other = {"tag": "zh-CN", "name": "中文", "uri": relative_uri(english, chinese)}
    context["other_language"] = other
    context["metatags"] = context.get("metatags", "") + f'\n<link rel="alternate" hreflang="{other["tag"]}" href="{other["uri"]}" />'
