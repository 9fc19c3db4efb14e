"""Makes code such as `pl.softplus` or `nn.HuberLoss` in a text a link to its page."""

import re
from functools import cache

from docutils import nodes
from reference import CHAPTERS, functions, names_of, path_of
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

ALSO_WORDS = {"entropy", "tanh", "threshold", "erf"}  # options and functions of others, too


@cache
def targets() -> dict[str, str]:
    """What may stand in a text, and the full name it means."""
    found: dict[str, str] = {}
    for _, packages, _ in CHAPTERS.values():
        for package in packages:
            for name in names_of(package):
                path = path_of(package, name)
                full = f"portable_losses.{path}"
                found |= {path: full, f"pl.{path}": full, full: full}
    return {text: full for text, full in found.items() if text not in ALSO_WORDS}


def link(app: Sphinx, doctree: nodes.document) -> None:
    """Replace what names a public thing by a link to it, outside the reference itself."""
    docname = app.env.docname
    if docname.startswith("reference/"):
        return
    known = targets() | (
        {n: f"portable_losses.{n}" for n in functions()} if docname == "names" else {}
    )
    for node in list(doctree.findall(nodes.literal)):
        name = re.sub(r"\(.*\)$", "", node.astext())
        if name not in known or isinstance(node.parent, nodes.reference | addnodes.pending_xref):
            continue
        if any(isinstance(parent, nodes.title) for parent in (node.parent, node.parent.parent)):
            continue
        reference = addnodes.pending_xref(
            "",
            refdomain="py",
            reftype="obj",
            reftarget=known[name],
            refexplicit=True,
            refdoc=docname,
        )
        node.replace_self(reference)
        reference.append(node)


def link_rows(app: Sphinx, doctree: nodes.document) -> None:
    """Link the function that a row of a table of errors begins with."""
    if not app.env.docname.startswith("accuracy/"):
        return
    for row in doctree.findall(nodes.row):
        for text in list(row.children[0].findall(nodes.Text)):
            name, space, rest = text.astext().partition(" ")
            if name in functions():
                reference = addnodes.pending_xref(
                    "",
                    nodes.literal("", name),
                    refdomain="py",
                    reftype="obj",
                    refexplicit=True,
                    reftarget=f"portable_losses.{name}",
                    refdoc=app.env.docname,
                )
                text.parent.replace(text, [reference, nodes.Text(space + rest)])


def setup(app: Sphinx) -> ExtensionMetadata:
    """Link after a page has been read."""
    app.connect("doctree-read", link)
    app.connect("doctree-read", link_rows)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
