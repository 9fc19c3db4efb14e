"""How the documentation is rendered: `make docs`."""

from portable_losses import __version__

project = "portable_losses"
author = "portable_losses developers"
project_copyright = "2026, portable_losses developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "Stable losses and activations for every array library"}

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more: shapes, units, domains
napoleon_google_docstring = False
napoleon_custom_sections = ["Source"]
napoleon_use_rtype = False
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # the README links to files that are not pages
