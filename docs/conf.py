"""How Sphinx makes the site of the pages in this folder: `make docs`.

Nothing is fetched while it is built, and nothing while it is read.
"""

import re
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

# The interpreted modules: compiled functions tell less of themselves.
sys.path.insert(0, str(Path(__file__).parent.parent))

import pgallop

project = "pgallop"
author = "The pgallop developers"
version = release = pgallop.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# GitHub's names for headings, which links use.
myst_heading_anchors = 4

# What a fence without a language holds is no code; neither are most words in docstrings' backticks.
highlight_language = "none"
default_role = "code"
smartquotes_action = "D"  # dashes only: quotes in a table are PostgreSQL's or Python's

napoleon_use_ivar = True
napoleon_use_param = False  # what is said of several arguments at once is said once
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"pgallop {release}"
html_static_path = ["_static"]
html_css_files = ["pgallop.css"]
html_copy_source = False

# Made by methods of others: how is their own business. So are exceptions.
MADE_BY_METHODS = {
    "pgallop.Connection",
    "pgallop.Pipeline",
    "pgallop.PipelinedStatement",
    "pgallop.PreparedStatement",
    "pgallop.Record",
    "pgallop.Transaction",
    "pgallop.cursor.Cursor",
    "pgallop.cursor.CursorFactory",
    "pgallop.types.ServerSettings",
}

# The headings of our docstrings, and what napoleon knows them as.
SECTIONS = {
    "Arguments": "Args:",
    "Attributes": "Attributes:",
    "Errors raised": "Raises:",
    "Returns": "Returns:",
}


def without_signature(app: Sphinx, what: str, name: str, *rest: Any) -> tuple[str, None] | None:
    """Leave out what the constructor takes, where nobody is to call it."""
    return ("", None) if name in MADE_BY_METHODS or what == "exception" else None


def with_sections(
    app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]
) -> None:
    """Make the headings of a docstring those that napoleon looks for."""
    if what == "module":
        # For those who read the source; the page says it in its own words.
        lines.clear()
    rewritten: list[str] = []
    for line in lines:
        when = re.fullmatch(r"Raises, (.*):", line)
        if when:
            rewritten += [f"{when[1].capitalize()}:", "", "Raises:"]
        elif line == "Example::":
            rewritten += [".. rubric:: Example", "", ".. code-block:: python"]
        else:
            rewritten.append(SECTIONS.get(line, line))
    lines[:] = rewritten


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-signature", without_signature)
    # Before napoleon, which has the usual 500.
    app.connect("autodoc-process-docstring", with_sections, priority=400)
