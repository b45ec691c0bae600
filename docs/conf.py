"""The site: ``make docs`` makes it of these pages and of the docstrings."""

import os
import re
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer

import hookkit
import hookkit.console
import hookkit.testing

DOCS = Path(__file__).parent
ROOT = DOCS.parent

_about = metadata("hookkit")
project = "hookkit"
author = _about["Author"]
release = version = _about["Version"]
exclude_patterns = ["_build"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# Headings get the anchors that a repository's page gives them.
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
maximum_signature_line_length = 80
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"hookkit {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_search_scorer = str(DOCS / "scorer.js")
html_copy_source = False
html_show_copyright = False

#: Files beside this folder -> the pages that stand for them.
BESIDE = {
    ROOT / "README.md": "index",
    ROOT / "CHANGELOG.md": "project/changelog",
    ROOT / "CONTRIBUTING.md": "project/contributing",
    ROOT / "SECURITY.md": "project/security",
}
#: What the reference documents, by its name alone: signatures name the module that defines it.
PUBLIC = {
    name: f"{module.__name__}.{name}"
    for module in (hookkit.testing, hookkit.console, hookkit)
    for name in module.__all__
}

_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?")
_INDEX = re.compile(r"^<!-- index: (.+) -->$", re.MULTILINE)
_CELL = re.compile(r"<td\b.*?</td>", re.DOTALL)
_CODE = re.compile(r'(?<=<span class="pre">)[^<]+(?=</span>)')
_JOINT = re.compile(r"(?<=[:_./,+])(?=\w)")


def adapt(app: Sphinx, docname: str, content: list[str]) -> None:
    """Make a page of the repository one of the site.

    A page of ``project`` becomes the file that it stands for, and links to such files lead to their
    pages. What a comment ``index`` names is found by the search.
    """
    shown = next((file for file, page in BESIDE.items() if page == docname != "index"), None)
    folder = shown.parent if shown else (DOCS / docname).parent

    def linked(found: re.Match[str]) -> str:
        path = Path(os.path.normpath(folder / found[1]))
        # The first page of the site is not divided as the README is.
        anchor = "" if path.name == "README.md" else found[2] or ""
        path = DOCS / f"{BESIDE[path]}.md" if path in BESIDE else path
        return f"]({os.path.relpath(path, (DOCS / docname).parent)}{anchor}"

    text = shown.read_text(encoding="utf-8") if shown else content[0]
    if docname == "index":
        text = text.partition("\n## ")[0] + "\n\n" + "\n".join(_menu(text))
    text = _LINK.sub(linked, text)
    content[0] = _INDEX.sub(_entries, text)


def _menu(text: str) -> Iterator[str]:
    """Yield the menu that the lists of the first page are: a caption and its pages for each."""
    for section in text.split("\n## ")[1:]:
        caption, _, rest = section.partition("\n")
        pages = [page.removesuffix(".md") for page, _ in _LINK.findall(rest)]
        if caption == "Learn":
            pages += sorted(f"tutorial/{each.stem}" for each in DOCS.glob("tutorial/[1-9]*.md"))
        yield f"```{{toctree}}\n:hidden:\n:caption: {caption}\n"
        yield from [*pages, "```"]


def _entries(found: re.Match[str]) -> str:
    words = ", ".join(f"! {each}" for each in found[1].split(", "))
    return f"```{{index}} {words}\n```"


def read_overloads_as_one(app: Sphinx) -> None:
    """Show the signature that has every option: the overloads of ``on`` are for type checkers."""
    analyzer = ModuleAnalyzer.for_module("hookkit.web.extension")
    analyzer.analyze()
    analyzer.overloads.clear()


_comments: dict[str, list[str]] = {}


def keep_comment(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Remember what a comment ``#:`` says, before napoleon takes its first words for a type."""
    if what in {"attribute", "data"}:
        _comments[name] = list(lines)


def restore_comment(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Put it back, after napoleon."""
    lines[:] = _comments.pop(name, lines)


def lead_to_public_name(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Resolve ``hookkit.core.event.Event``, as annotations have it, to ``hookkit.Event``."""
    name = node.get("reftarget", "").rpartition(".")[2]
    if node.get("refdomain") != "py" or name not in PUBLIC:
        return None
    return env.domains.python_domain.resolve_xref(
        env, node["refdoc"], app.builder, "obj", PUBLIC[name], node, content
    )


def draw_inline(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put pictures of lines and text into the page, so that they follow its light and dark."""
    for image in list(doctree.findall(nodes.image)):
        if not image["uri"].endswith(".svg"):
            continue
        text = (DOCS / image["uri"]).read_text(encoding="utf-8")
        if "currentColor" in text:
            image.replace_self(nodes.raw("", text, format="html"))


def break_words(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Let words of code in tables break where a reader would break them.

    That is done in the finished page: the search finds whole words alone.
    """

    def breakable(found: re.Match[str]) -> str:
        return _JOINT.sub('</span><wbr><span class="pre">', found[0])

    context["body"] = _CELL.sub(lambda cell: _CODE.sub(breakable, cell[0]), context.get("body", ""))


def setup(app: Sphinx) -> None:
    """Register what is above."""
    for kind in PyObject.doc_field_types:
        kind.label = "Attributes" if kind.name == "variable" else kind.label
    app.connect("builder-inited", read_overloads_as_one)
    app.connect("source-read", adapt)
    app.connect("autodoc-process-docstring", keep_comment, priority=400)
    app.connect("autodoc-process-docstring", restore_comment, priority=600)
    app.connect("missing-reference", lead_to_public_name)
    app.connect("doctree-resolved", draw_inline)
    app.connect("html-page-context", break_words)
