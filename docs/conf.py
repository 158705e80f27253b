"""Settings of the built pages: `python -m sphinx -W -n docs build/docs`. Pages are Markdown, as a code host shows it."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from runner import __version__  # noqa: E402

project = "runner"
author = "the contributors of runner"
release = __version__
extensions = ["myst_parser", "sphinx_copybutton", "generator"]
exclude_patterns = ["generator", "build"]
suppress_warnings: list[str] = []  # a warning is an error
html_theme = "furo"
html_title = "runner"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
templates_path: list[str] = []
myst_enable_extensions = ["attrs_block", "fieldlist"]
myst_heading_anchors = 4
pygments_style = "friendly"
pygments_dark_style = "github-dark"
highlight_language = "text"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
