"""The documentation as a site: ``make docs``, which ends with an error on any warning.

The pages are the repository's Markdown files, readable as they are, so the source folder of Sphinx is the repository
and not this folder. Two things happen to pages in memory, and nothing is written into the tree: the list in
``docs/index.md`` becomes the site's navigation, and ``docs/commands.md`` gets the help of every verb.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

REPOSITORY = Path(__file__).parent.parent
sys.path.insert(0, str(REPOSITORY))

import relax  # noqa: E402

project = "ReLaX"
author = "The relax-rl authors"
version = release = relax.__version__

root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/*.md",
    "*/README.md",
    "results/reference/**/*.md",
    "relax/**/*.md",
]
exclude_patterns = [".*", "docs/_build"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# Not every page belongs into the navigation (tests/repository/test_docs.py: each page of docs/ is linked), and the
# tables of results/ begin with a heading of the second level.
suppress_warnings = ["toc.not_included", "myst.header"]

myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_numpy_docstring = False

html_theme = "pydata_sphinx_theme"
html_title = "ReLaX"
html_static_path = ["_static"]
html_sidebars = {"docs/quickstart": [], "docs/method": []}  # no pages below them
html_css_files = ["wide.css"]
html_extra_path = ["_static/index.html"]
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "show_prev_next": False,
    "navigation_with_keys": False,
}


def setup(app: Sphinx) -> None:
    app.connect("source-read", complete)
    app.connect("autodoc-process-docstring", escape, priority=400)  # before napoleon


def complete(_: Sphinx, page: str, source: list[str]) -> None:
    """Adds to a page what belongs to the site alone: the help of the verbs, and the pages below it."""
    if page == "docs/commands":
        source[0] += "\n".join(helps())
    if children := below(page):
        source[0] += "\n\n```{toctree}\n:hidden:\n\n" + "\n".join(children) + "\n```\n"


def escape(_: Sphinx, kind: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Docstrings write |lambda| for a magnitude and koopman_ for a fitted value: no marks of reStructuredText."""
    for number, line in enumerate(lines):
        parts = re.split(r"(``.*?``|:\w+:`.*?`)", line)
        parts[::2] = [re.sub(r"(?=\|)|(?<=\w)(?=_\b)", r"\\", part) for part in parts[::2]]
        lines[number] = "".join(parts)


def below(page: str) -> list[str]:
    """The pages that the list of ``docs/index.md`` puts below a page; below the index, those of the first level."""
    parent, found = root_doc, []
    listed = (REPOSITORY / f"{root_doc}.md").read_text()
    for indent, title, target in re.findall(r"^( *)- \[([^]]*)\]\(([^)#]+)\)", listed, flags=re.M):
        name = os.path.normpath(f"docs/{target}").removesuffix(".md")
        parent = parent if indent else name
        if page == (parent if indent else root_doc):
            found.append(f"{title} </{name}>")
    return found


def helps() -> Iterator[str]:
    """A section for each verb with what ``relax VERB --help`` prints."""
    from relax.cli.app import _parser

    os.environ["COLUMNS"] = "90"
    verbs = next(action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    for name, parser in verbs.choices.items():
        yield f"\n## relax {name}\n\n```text\n{parser.format_help().rstrip()}\n```"
