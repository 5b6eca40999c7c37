"""What the book is made of, for Sphinx; book/make.py builds it, in English and, with the tag zh, in Chinese.

Nothing is executed, and no page asks another server for anything.
"""

import ast
import importlib.util
import inspect
import pkgutil
import posixpath
import re
from pathlib import Path

import chinese_search
import pydantic
from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx import addnodes
from sphinx.pycode import ModuleAnalyzer

import convae_nb

HERE = Path(__file__).parent
CHINESE = tags.has("zh")  # noqa: F821, Sphinx gives them

project = "convae"
html_title = "convae"
language = "en"
extensions = ["languages", "myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
nitpicky = True

# Pages are Markdown, or notebooks as they are stored.
nb_execution_mode = "off"
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]  # what `runs.record` stores is for programs: the table beside it says the same
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"  # which browsers draw without a script

# The reference shows signatures as they are written, in the order of the source.
add_module_names = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "none"  # shapes and ranges say more
autodoc_inherit_docstrings = False
default_role = "literal"
numpydoc_show_class_members = False
templates_path = [str(HERE / "_templates")]

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
# What the live parts load is many megabytes: Chinese pages take it from the English book, in whose folder they lie.
LIVE = "../../_static/" if CHINESE else ""
html_css_files = ["book.css", f"{LIVE}live.css"]
html_favicon = "_static/favicon.svg"
html_domain_indices = False  # one package needs no index of modules
html_js_files = [(name, {"defer": "defer"}) for name in ("book.js", f"{LIVE}convae.js")]
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "convae"},
    "show_toc_level": 2,
    "article_header_end": ["language.html", "article-header-buttons.html"],
    "navbar_persistent": [],  # else wide pages have two fields to search in
    "footer_content_items": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

if CHINESE:
    language = "zh_CN"
    nb_code_prompt_show, nb_code_prompt_hide = "展开单元格", "收起单元格"
    html_theme_options["search_bar_text"] = "搜索……"


def _origins(word):
    """List what a public module offers, in the order of its stub or else of its own text, each with the module in which it is written."""
    name = f"convae_nb.{word}"
    spec = importlib.util.find_spec(name)
    text = next(path for path in (Path(spec.origin).with_suffix(".pyi"), Path(spec.origin)) if path.exists()).read_text(encoding="utf-8")
    origins = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom):  # "import name as name" is how a name is passed on
            origin = importlib.util.resolve_name("." * node.level + (node.module or ""), name)
            origins |= {f"{name}.{alias.name}": origin for alias in node.names if alias.name == alias.asname}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            origins[f"{name}.{node.name}"] = name
    return origins


def _kind(name):
    """Say by which of autodoc's directives a name is explained; a module by none, since it has a page of its own."""
    value = pkgutil.resolve_name(name)
    if isinstance(value, type):
        return "exception" if issubclass(value, Exception) else "class"
    return "function" if inspect.isroutine(value) else None if inspect.ismodule(value) else "data"


# Of what the package offers, Keras and TensorFlow are explained elsewhere.
_ORIGINS = {word: _origins(word) for word in convae_nb.__all__ if importlib.util.find_spec(f"convae_nb.{word}")}
autosummary_context = {"offered": {f"convae_nb.{word}": {name: _kind(name) for name in names} for word, names in _ORIGINS.items()}}


def setup(app):
    app.add_search_language(chinese_search.SearchChinese)
    app.add_html_math_renderer("mathml", (_mathml, None), (_mathml, None))
    app.connect("source-read", _relink)
    app.connect("doctree-resolved", _take_handlers_out)
    app.connect("object-description-transform", _hide_value)
    app.connect("autodoc-skip-member", _skip_field)
    app.connect("autodoc-process-signature", _hide_signature)
    app.connect("autodoc-process-docstring", _list_what_it_holds, priority=100)  # before numpydoc
    app.connect("autodoc-process-docstring", _keep_initials, priority=900)  # after numpydoc


def _mathml(translator, node):
    markup = latex2mathml.tex2mathml(node.astext(), as_block=isinstance(node, nodes.math_block))
    # TeX sets a function off from what stands beside it, browsers do not.
    space = '<mspace width="0.17em"/>'
    translator.body.append(re.sub(r"<mi>\w+</mi>\s*<mo>&ApplyFunction;</mo>", rf"{space}\g<0>{space}", markup))
    raise nodes.SkipChildren


def _relink(app, name, source):
    """Turn links that hold in the repository into links that hold in the book, where what is in book/ lies at the root."""
    folder = posixpath.dirname(f"book/{name}" if (HERE / f"{name}.md").exists() else name)

    def relinked(match):
        path = match["path"]
        if path:
            path = posixpath.normpath(posixpath.join(folder, path)).removeprefix("book/")
            path = posixpath.relpath(path, posixpath.dirname(name) or ".")
        # A heading's address in JupyterLab keeps capitals and signs; here, as on GitHub, it does not.
        fragment = re.sub(r"[^\w#-]", "", match["fragment"]).lower()
        return f"]({path}{fragment})"

    source[0] = re.sub(r"\]\((?P<path>(?:[\w./-]+\.[a-z]+)?)(?P<fragment>(?:#[^)\s]+)?)\)", relinked, source[0])


def _take_handlers_out(app, doctree, name):
    """Leave what a figure's slider does to the page's script: a strict Content-Security-Policy allows no handlers in the markup."""
    for node in doctree.findall(nodes.raw):
        if "convae-frames" in node.astext():
            node.children = [nodes.Text(re.sub(r' oninput="[^"]*"', "", node.astext()))]


def _list_what_it_holds(app, what, name, obj, options, lines):
    """Describe the fields of a pydantic model, and name the entries of a constant: both say in the code what a docstring would repeat."""
    if what == "class" and issubclass(obj, pydantic.BaseModel):
        lines += ["Parameters", "----------"]
        for field, about in obj.model_fields.items():
            default = "" if about.is_required() else f", default {about.default!r}"
            kind = getattr(about.annotation, "__name__", str(about.annotation).replace("typing.", ""))
            lines += [f"{field} : {kind}{default}", f"    {about.description}"]
    if what == "data":
        # What is said of a constant stands above it, where it is written.
        _, word, constant = name.split(".")
        lines[:] = ModuleAnalyzer.for_module(_ORIGINS[word][name]).find_attr_docs()["", constant]
        if isinstance(obj, dict | tuple) and len(obj) <= 20:  # of more, the sentence above tells the pattern
            lines += ["", ", ".join(f"``{entry!r}``" for entry in obj)]


def _skip_field(app, what, name, obj, skip, options):
    """Leave out the fields of a named tuple, of which Python says their number, and the class the rest."""
    return True if (inspect.getdoc(obj) or "").startswith("Alias for field number") else None


def _hide_signature(app, what, name, obj, options, signature, returned):
    """Leave out a signature that says nothing, as a widget's."""
    return ("", returned) if signature == "(*args, **kwargs)" else None


def _hide_value(app, domain, kind, content):
    """Leave out the value of a constant, which may be longer than all that is said of it."""
    if kind == "data":
        signature = content.parent[0]
        signature[:] = [part for part in signature if not isinstance(part, addnodes.desc_annotation)]


def _keep_initials(app, what, name, obj, options, lines):
    """Keep the initial of an author who opens a reference from being read as the letter of a list."""
    lines[:] = [re.sub(r"^(\s*\.\. \[[\w-]+\] )(?=[A-Z]\. )", r"\1\\", line) for line in lines]
