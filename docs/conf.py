"""Sphinx: how the site of this folder is built (`make docs`)."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

ROOT = Path(__file__).parent.parent

project = "PilotNet Brain"
author = "PilotNet Brain developers"
release = version = ElementTree.parse(ROOT / "package.xml").getroot().findtext("version", "")

extensions = ["myst_parser", "sphinx.ext.napoleon", "autoapi.extension"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}

# Headings can be linked to: [text](page.md#heading).
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath", "deflist"]

# The API pages are made by reading the sources: nothing is imported, so neither ROS 2 nor torch has
# to be installed. Single backticks in docstrings name things of the code.
autoapi_dirs = ["../pilotnet_brain"]
autoapi_root = "api"
# The commands' docstrings are their help texts: `pilotnet VERB --help`.
autoapi_ignore = ["*/commands/*", "*/cli.py"]
autoapi_add_toctree_entry = False
autoapi_keep_files = False
autoapi_member_order = "groupwise"
autoapi_options = ["members", "show-inheritance", "show-module-summary"]
# AutoAPI does not see names that are assigned in a row (A, B = 1, 2).
suppress_warnings = ["autoapi.python_import_resolution"]
default_role = "py:obj"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Formulas as MathML, which docutils writes: MathJax would be loaded from the network.
html_math_renderer = "mathml"
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_title = f"PilotNet Brain {release}"
html_copy_source = False
html_show_sourcelink = False


def _keep_columns(app, what, name, obj, options, lines):
    """Show the indented lines of a module's docstring, such as tables of topics, as they are."""
    if what != "module":
        return
    shown: list[str] = []
    in_block = False
    for line in lines:
        indented = line.startswith("  ")
        if indented and not in_block:
            shown += ["", "::", ""]
        elif in_block and line.strip() and not indented:
            shown.append("")
        in_block = indented or (in_block and not line.strip())
        shown.append(line)
    lines[:] = shown


def _warn_of_missing(app, env, node, contnode):
    """Warn where a page names a function that is not there; docstrings may name other packages'."""
    if node["refdomain"] == "py" and not node["refdoc"].startswith("api/"):
        logging.getLogger(__name__).warning("no %s", node["reftarget"], location=node)


def _show_rooms(app, what, name, obj, skip, options):
    """Show packages, whose __init__.py are empty: without a docstring they would be left out."""
    return False if what == "package" else None


def _inline_formula(writer, node):
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _formula(writer, node):
    writer.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app):
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (_inline_formula, None), (_formula, None))
    app.connect("autoapi-skip-member", _show_rooms)
    app.connect("autodoc-process-docstring", _keep_columns)
    app.connect("missing-reference", _warn_of_missing)
