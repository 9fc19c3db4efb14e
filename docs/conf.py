"""How the documentation is rendered: `make docs`."""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from portable_losses import __version__  # noqa: E402

project = "portable_losses"
author = "portable_losses developers"
project_copyright = "2026, portable_losses developers"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx-mathjax-offline",  # MathJax from the site itself
    "sphinx_copybutton",
    "sphinx_design",
    # of docs/_ext
    "reference",
    "execution",
    "cross_references",
]
exclude_patterns = ["_build", "_ext", "_templates"]

html_theme = "pydata_sphinx_theme"
html_title = "portable_losses"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["version-switcher", "theme-switcher"],
    "header_links_before_dropdown": 6,
    "show_nav_level": 1,
    "navigation_depth": 2,
    "show_toc_level": 2,
    "collapse_navigation": True,
    "check_switcher": False,  # versions.json lies in the site itself
    "switcher": {"json_url": "_static/versions.json", "version_match": version},
    "navbar_persistent": ["search-button"],
    # pages of wide tables have the whole width
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        **{page: [] for page in ("benchmarks", "names", "libraries/index")},
        **{f"accuracy/{page}": [] for page in ("float32", "float64", "halves", "rows")},
    },
}
html_sidebars = {
    "index": [],
    "getting_started": [],
    "changelog": [],
    "reference/*": ["reference_sidebar.html"],
}
templates_path = ["_templates"]

intersphinx_mapping = {
    path.stem: (url, str(path))
    for path in sorted((HERE / "inventories").glob("*.inv"))
    for url in [(path.with_suffix(".url")).read_text("utf-8").strip()]
}
intersphinx_disabled_reftypes = ["*"]  # only what asks for a library's own name

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more: shapes, units, domains
napoleon_google_docstring = False
napoleon_custom_sections = ["Source"]
napoleon_use_rtype = False
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"


def setup(app: Any) -> None:
    """Read pages side by side; tell the version switch where its list is, seen from each page."""
    app.extensions["sphinx-mathjax-offline"].parallel_read_safe = True  # it only copies, at the end

    def locate(app: Any, pagename: str, template: str, context: Any, doctree: Any) -> None:
        url = context["pathto"]("_static/versions.json", resource=True)
        context["theme_switcher"] = context["theme_switcher"] | {"json_url": url}

    app.connect("html-page-context", locate, priority=100)
