"""The book as `make book` builds it, without a network: what it holds, where its links lead, and in Chromium how it reads.

What both languages share, tests see on English pages; the Chinese ones have tests of their own at the end.
"""

import contextlib
import functools
import html.parser
import http.server
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import browser
import bs4
import pytest

import convae_nb

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book"))
import chinese_search  # noqa: E402
import translation  # noqa: E402

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb")) + sorted(ROOT.glob("notebooks/solutions/*.ipynb"))
CHAPTERS = [path for path in NOTEBOOKS if re.fullmatch(r"notebooks/\d\d_.*", path.relative_to(ROOT).as_posix())]
MODULES = sorted({*convae_nb.__all__} - {"keras", "tf"})
MADE = {"benchmarks/RESULTS.html", "genindex.html", "search.html"}  # by other programs
# In Chinese: with a live part, with words alone, with code and figures.
SEEN = ["zh/index.html", "zh/howto/web.html", "zh/notebooks/solutions/02_architecture.html"]
# pandas leaves the corner of a table empty, and so is its heading.
KNOWN = {("empty-table-header", "th")}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(4 * browser.PATIENCE)]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder of a book built where whoever asks for a name or leaves the machine fails."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "sitecustomize.py").write_text(
        "import socket\n"
        "def refuse(*arguments, **options): raise OSError('no network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, str(ROOT / "book/make.py"), str(folder / "book")]
    built = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")
    return folder / "book"


@functools.cache
def parsed(path):
    return bs4.BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@functools.cache
def tags(path):
    """The elements of a page, each by its name and attributes; for all pages, faster than `parsed`."""
    found = []
    parser = html.parser.HTMLParser()
    parser.handle_starttag = lambda name, attributes: found.append((name, dict(attributes)))
    parser.feed(path.read_text(encoding="utf-8"))
    return found


def pages(book, chinese=False):
    """Every page of one language by its name, in the order of names."""
    found = {path.relative_to(book).as_posix(): path for path in sorted(book.rglob("*.html"))}
    return {name: path for name, path in found.items() if "_static" not in name and name.startswith("zh/") == chinese}


def page_of(notebook):
    return notebook.relative_to(ROOT).with_suffix(".html").as_posix()


@pytest.fixture(scope="module")
def address(book):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=book)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def visit(chromium, **options):
    """Gives a page; what it asks of other servers, or a browser's console calls an error, fails the test."""
    complaints = []
    with contextlib.closing(chromium.new_context(**options)) as context:
        context.set_default_timeout(1000 * browser.PATIENCE)
        page = context.new_page()
        page.on(
            "request", lambda asked: complaints.append(asked.url) if urlsplit(asked.url).hostname not in (None, "127.0.0.1", "") else None
        )
        # From a file, a search finds pages and cannot read excerpts from them.
        page.on("console", lambda message: message.type == "error" and "file:" not in page.url and complaints.append(message.text))
        page.on("pageerror", lambda error: "file:" not in page.url and complaints.append(str(error)))
        yield page
    assert complaints == []


def test_every_notebook_module_and_page_is_in_the_book_and_nothing_else(book):
    english = [path for path in (ROOT / "book").rglob("*.md") if not path.is_relative_to(ROOT / "book/zh")]
    written = {path.relative_to(ROOT / "book").with_suffix(".html").as_posix() for path in english}
    modules = {f"reference/convae_nb.{name}.html" for name in MODULES}
    assert set(pages(book)) == written | modules | MADE | set(map(page_of, NOTEBOOKS))


def test_chapters_follow_each_other(book):
    name, read = "index.html", []
    while len(read) < len(CHAPTERS):
        name = urljoin(name, parsed(book / name).select_one("a.right-next")["href"])
        read.append(name)
    assert read == list(map(page_of, CHAPTERS))


def test_the_reference_explains_whatever_the_notebooks_call(book):
    called = set()
    for notebook in NOTEBOOKS:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        imported = re.findall(r"^from convae_nb import (.+)$", code, re.MULTILINE)
        modules = {name for line in imported for name in line.split(", ")} & {*MODULES}
        called |= set(re.findall(rf"(?<![\w.])({'|'.join(modules)})\.(\w+)", code)) if modules else set()
    assert len(called) > 50
    for module, name in called:
        assert parsed(book / f"reference/convae_nb.{module}.html").find(id=f"convae_nb.{module}.{name}"), f"{module}.{name}"


@functools.cache
def comments():
    """What stands above the constants of the package, by each one's name and place."""
    found = {}
    for path in ROOT.glob("convae_nb/*/*.py"):
        for comment, name in re.findall(r"((?:^#: .*\n)+)^(\w+)(?:: .*)? = ", path.read_text(encoding="utf-8"), re.MULTILINE):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name, module] = re.sub(r"^#: ", "", comment, flags=re.MULTILINE)
    return found


def comment_on(name, value):
    """What stands above the very constant: two rooms may have one of the same name."""
    (found,) = {
        text for (other, module), text in comments().items() if other == name and vars(importlib.import_module(module))[name] is value
    }
    return found


def explained(page):
    return [entry["id"].rpartition(".")[2] for entry in page.select("article section > dl.py > dt[id]")]


@pytest.mark.parametrize("word", MODULES)
def test_the_reference_explains_each_public_name_in_its_own_words(book, word):
    face, page = importlib.import_module(f"convae_nb.{word}"), parsed(book / f"reference/convae_nb.{word}.html")
    public = {name: getattr(face, name) for name in getattr(face, "__all__", vars(face)) if not name.startswith("_")}
    public = {name: value for name, value in public.items() if not inspect.ismodule(value)}
    assert sorted(explained(page)) == sorted(public) != []
    for name, value in public.items():
        summary = (inspect.getdoc(value) if callable(value) else comment_on(name, value)).split("\n\n")[0]
        told = page.find(id=f"convae_nb.{word}.{name}").find_next_sibling("dd").get_text()
        words, shown = (re.findall(r"\w+", re.sub(r"\[\d+\]_?", "", text)) for text in (summary, told))  # citations have other marks
        assert shown[: len(words)] == words


def test_the_reference_says_nothing_that_python_says_by_itself(book):
    for word in MODULES:
        told = parsed(book / f"reference/convae_nb.{word}.html").get_text()
        assert not re.search(r"Alias for field|dict\(\) -> new|Built-in immutable", told), word


@pytest.mark.parametrize("room", ["plots", "reference"])
def test_the_reference_keeps_the_order_in_which_a_room_names_what_it_offers(book, room):
    stub = (ROOT / f"convae_nb/{room}/__init__.pyi").read_text(encoding="utf-8")
    assert explained(parsed(book / f"reference/convae_nb.{room}.html")) == re.findall(r" as (\w+)", stub)


def test_every_link_anchor_and_picture_is_there(book):
    internal = 0
    for name, path in (pages(book) | pages(book, chinese=True)).items():
        for _, attributes in tags(path):
            for link in filter(None, (attributes.get("href"), attributes.get("src"))):
                parts = urlsplit(link)
                if parts.scheme in ("https", "data") or link == "#":
                    continue
                assert (parts.scheme, parts.netloc) == ("", ""), f"{name}: {link}"
                internal += 1
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                assert target.is_file(), f"{name}: {link}"
                assert target.is_relative_to(book.resolve()), f"{name}: {link}"
                if parts.fragment and target.suffix == ".html":
                    assert unquote(parts.fragment) in anchors(target), f"{name}: {link}"
    assert internal > 2000


@functools.cache
def anchors(path):
    return {attributes.get("id") for _, attributes in tags(path)}


def test_no_page_takes_anything_from_another_server(book):
    for name, path in pages(book).items():
        for tag in parsed(path).find_all(["script", "link", "img", "source", "video", "audio", "iframe", "object", "embed"]):
            for attribute in ("src", "href", "srcset", "data"):
                assert "//" not in tag.get(attribute, "") or tag[attribute].startswith("data:"), f"{name}: {tag[attribute]}"
        text = re.sub(r"[\w+/=]{200,}", "", path.read_text(encoding="utf-8"))  # pictures in base64, in which any letters may stand
        assert not re.search(r"cdn|unpkg|jsdelivr|googleapis", text), name
    for path in book.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", path.read_text(encoding="utf-8")), path


def test_every_stored_figure_is_shown_and_says_its_finding(book):
    for notebook in NOTEBOOKS:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        stored = [output for cell in cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
        shown = parsed(book / page_of(notebook)).select(".cell_output img")
        assert len(shown) == len(stored), notebook.name
    for name, path in pages(book).items():
        for picture in parsed(path).select("article img"):
            assert len(picture["alt"].split()) >= 4, f"{name}: {picture['alt']}"
            assert not picture["alt"].endswith(".png"), name


def test_formulae_are_mathematics(book):
    for notebook in CHAPTERS:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        formulae = re.findall(r"\$[^$\n]+\$", "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"))
        page = parsed(book / page_of(notebook))
        assert len(page.find_all("math")) == len(formulae)
        assert not page.select(".problematic, merror")


@pytest.mark.parametrize("protocol", ["http", "file"])
def test_a_search_from_the_keyboard_finds_the_chapter(book, address, chromium, protocol):
    with visit(chromium) as page:
        page.goto(address if protocol == "http" else (book / "index.html").as_uri())
        page.keyboard.press("Control+k")
        page.keyboard.type("checkerboard")
        page.keyboard.press("Enter")
        page.locator("#search-results a[href*='05_checkerboard.html']").first.click()
        assert page.locator("article h1").inner_text().startswith("5. Measure checkerboards")


def test_a_slider_shows_its_frames_without_a_kernel(book, chromium):
    with visit(chromium) as page:
        page.goto((book / "notebooks/05_checkerboard.html").as_uri())
        frames = page.locator(".convae-frames")
        drawn = json.loads(frames.get_attribute("data-frames"))
        picture, sizes = frames.locator("img"), frames.get_by_label("kernel size")
        assert picture.get_attribute("alt") == "kernel size 3, stride 2"
        sizes.focus()
        sizes.press("ArrowRight")
        assert picture.get_attribute("alt") == "kernel size 4, stride 2"
        assert picture.get_attribute("src").endswith(drawn["pictures"][drawn["texts"].index("kernel size 4, stride 2")])
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300


LIVE = {"index": 1, "live": 3, "notebooks/04_denoising": 1, "notebooks/05_checkerboard": 1, "notebooks/06_code": 1}


@pytest.mark.parametrize("name", [*LIVE, "notebooks/from_denoiser_to_generator"])
def test_live_parts_are_a_sentence_without_scripts_and_controls_with_them(book, address, chromium, name):
    with contextlib.closing(chromium.new_context(java_script_enabled=False)) as context:
        page = context.new_page()
        page.goto(f"{address}{name}.html")
        parts = page.locator(".convae-live").all()
        assert len(parts) == LIVE.get(name, 1)
        assert all(re.search(r"[Ss]cripts|book", part.inner_text()) for part in parts)
    with visit(chromium) as page:
        page.goto(f"{address}{name}.html")
        for part in page.locator(".convae-live").all():
            part.locator("button").first.wait_for()
            assert not re.search("switched on", part.inner_text())


def test_the_front_page_s_live_part_is_light_and_soon_there(book, address, chromium):
    with visit(chromium) as page:
        sizes = {}
        page.on("response", lambda answer: sizes.update({answer.url: answer.header_value("content-length")}))
        page.goto(address)
        page.locator("canvas[aria-label*=PSNR]").wait_for()
        asked = [int(size) for url, size in sizes.items() if re.search(r"convae\.js|live\.css|digits\.js|networks/", url)]
        assert len(asked) == 4
        assert sum(asked) < 500_000
        # A second at rest; other tests keep the machine busy.
        assert page.evaluate("performance.now()") < 10_000


def test_figures_leave_no_handlers_in_the_markup(book):
    for notebook in NOTEBOOKS:
        assert not parsed(book / page_of(notebook)).select("article [oninput], article [onclick], article [onchange]")


@pytest.mark.parametrize("name", ["noise_explorer", "04_denoising", "your_own_images"])
def test_the_explorer_is_a_picture_beside_how_to_run_it(book, name):
    page = parsed(book / f"notebooks/{name}.html")
    assert any(len(picture["alt"]) > 30 for picture in page.select(".cell_output img"))
    assert re.search(r"running kernel[^.]* make (app|lab)\b", " ".join(page.article.get_text().split()))


def test_figures_keep_a_white_ground_on_dark_pages(book, chromium):
    with visit(chromium, color_scheme="dark") as page:
        page.goto((book / "notebooks/05_checkerboard.html").as_uri())
        grounds = page.locator(".cell_output img").evaluate_all("all => all.map(one => getComputedStyle(one).backgroundColor)")
        assert set(grounds) == {"rgb(255, 255, 255)"}


def test_no_page_is_wider_than_its_window(book, address, chromium):
    with visit(chromium) as page:
        for name in [*pages(book), *SEEN]:
            page.set_viewport_size({"width": 400, "height": 900})
            page.goto(address + name)
            assert page.evaluate("document.documentElement.scrollWidth") <= 400, name
            page.set_viewport_size({"width": 1280, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= 1280, name


@pytest.mark.parametrize(("theme", "every"), [("light", 3), pytest.param("light", 1, marks=pytest.mark.long), ("dark", 6)])
def test_axe_finds_no_barrier(book, address, chromium, theme, every):
    from axe_playwright_python import sync_playwright

    axe = sync_playwright.Axe()
    # What is dark differs in colours alone.
    options = {"resultTypes": ["violations"], "preload": False} | ({"runOnly": ["color-contrast"]} if theme == "dark" else {})
    found, chosen = set(), {*list(pages(book))[::every], "index.html", "live.html", *SEEN}
    with visit(chromium, color_scheme=theme) as page:
        for name in sorted(chosen):
            page.goto(address + name)
            # Code, whose every word is an element, is coloured alike everywhere.
            context = None if name == page_of(CHAPTERS[0]) else {"exclude": [[".cell_input"]]}
            for violation in axe.run(page, context=context, options=options).response["violations"]:
                for node in violation["nodes"]:
                    tag = re.match(r"<([\w-]+)", node["html"])[1]
                    if (violation["id"], tag) not in KNOWN:
                        found.add((violation["impact"], violation["id"], name, node["html"][:200]))
    assert not found


# --- the Chinese book


def test_the_chinese_book_has_every_page_that_is_written_by_hand(book):
    english = {name for name in pages(book) if not re.match("reference|benchmarks/", name)}
    assert {name.removeprefix("zh/") for name in pages(book, chinese=True)} == english


def test_each_page_leads_to_the_same_in_the_other_language_and_says_which_it_is_in(book):
    languages = {False: "en", True: "zh-CN"}
    for chinese, language in languages.items():
        for name, path in pages(book, chinese).items():
            assert [attributes["lang"] for tag, attributes in tags(path) if tag == "html"] == [language], name
            other = book / (name.removeprefix("zh/") if chinese else f"zh/{name}")
            found = [attributes for _, attributes in tags(path) if attributes.get("rel") == "alternate"]
            assert len(found) == 2 * other.exists(), name  # for programs and for readers
            assert all(path.parent.joinpath(each["href"]).resolve() == other.resolve() for each in found), name
            assert all(each["hreflang"] == languages[not chinese] == each.get("lang", each["hreflang"]) for each in found), name


def test_a_reader_goes_to_the_other_language_and_back_with_what_is_set(book, chromium):
    with visit(chromium) as page:
        page.goto((book / "live.html").as_uri() + "#explorer.kind=blur")
        page.locator(".convae-live button").first.wait_for()
        page.evaluate("location.hash = '#draw-your-own'")
        page.get_by_role("link", name="中文").click()
        page.wait_for_url("**/zh/live.html#*explorer.kind=blur*")
        page.locator(".convae-live[lang=en] button").first.wait_for()
        page.get_by_role("link", name="English").click()
        page.wait_for_url(re.compile(r"(?<!zh)/live\.html#.*explorer\.kind=blur"))


def test_chinese_pages_take_the_live_parts_from_the_english_book(book, address, chromium):
    assert not list(book.glob("zh/_static/networks")) + list(book.glob("zh/_static/convae.js"))
    with visit(chromium) as page:
        asked = []
        page.on("request", lambda request: asked.append(urlsplit(request.url).path))
        page.goto(f"{address}zh/index.html")
        page.locator("canvas[aria-label*=PSNR]").wait_for()
        assert {"/_static/convae.js", "/_static/live.css", "/_static/digits.js"} < {*asked}


def test_what_is_not_translated_yet_or_not_anew_says_so(book):
    for each in translation.translations():
        if each.source != "README.md":
            made = each.made(each.shown())
            shown = (book / "zh" / each.source.removeprefix("book/")).with_suffix(".html").read_text(encoding="utf-8")
            for notice in (translation.MISSING, translation.STALE):
                assert shown.count(f"<p>{notice.removeprefix('> ')}</p>") == made.count(notice), each.source


def test_a_search_finds_a_chinese_word_within_a_sentence(book, address, chromium):
    text = (book / "zh/howto/web.html").read_text(encoding="utf-8")
    assert "能提供静态文件的主机" in text
    with visit(chromium) as page:
        page.goto(f"{address}zh/index.html")
        page.keyboard.press("Control+k")
        page.keyboard.type("静态文件")
        page.keyboard.press("Enter")
        page.locator("#search-results a[href*='howto/web.html']").first.click()
        assert page.locator("article h1").inner_text().startswith("把这本书放到网上")


def test_the_browser_cuts_a_query_into_what_the_index_has(book, chromium):
    search = chinese_search.SearchChinese({})
    with visit(chromium) as page:
        page.goto((book / "zh/search.html").as_uri())
        for query, parts in {
            "棋盘状伪影": ["棋盘", "盘状", "状伪", "伪影"],
            "熵": ["熵"],
            "PSNR值，28 个": ["PSNR", "值", "28", "个"],
            "code_size": ["code_size"],
        }.items():
            assert page.evaluate("splitQuery", query) == parts
            assert {*parts} <= {*search.split(f"这里有{query}。")}


def test_the_theme_speaks_chinese(book, address, chromium):
    with visit(chromium) as page:
        for name in SEEN:
            page.goto(address + name)
            said = page.evaluate("""() => [...document.querySelectorAll("body *")].filter((one) => !one.closest("article")).flatMap((one) =>
                ["title", "data-bs-original-title", "aria-label", "placeholder"].map((kind) => one.getAttribute(kind)).filter(Boolean))""")
            assert len(said) > 10
            assert [words for words in said if not re.search("[\u4e00-\u9fff]", words)] == []
            shown = page.locator(".bd-header-article, .prev-next-subtitle, .collapsed, .onthispage, .search-button__default-text")
            words = re.findall(r"[A-Za-z]{2,}", " ".join(shown.all_inner_texts()))
            assert {*words} <= {"English"}
