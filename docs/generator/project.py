"""Pages that lie outside docs/, where a code host looks for them: copied beside the others, their links turned round."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDER = "project"
SOURCES = {  # below the root of the project → page below docs/project/
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
_LINK = re.compile(r"(\]\()([^)\s:]+)(\))")


def pages(root: Path) -> dict[str, str]:
    """Name below docs/project/ → text."""
    texts = {}
    for source, name in SOURCES.items():
        folder = (root / source).parent
        text = (root / source).read_text(encoding="utf8")
        texts[name] = _LINK.sub(lambda link, folder=folder: link[1] + _seen_from(link[2], folder, root) + link[3], text)
    return texts


def mend_links(app: Sphinx, docname: str, source: list[str]) -> None:
    """Lead the links of a page in docs/ that go to a copied file to its copy."""
    up = "../" * docname.count("/")
    for original, copy in SOURCES.items():
        source[0] = source[0].replace(f"](../{original}", f"]({up}{FOLDER}/{copy}")


def _seen_from(link: str, folder: Path, root: Path) -> str:
    """A link of a file in `folder` as one of a page in docs/project/."""
    target, sharp, anchor = link.partition("#")
    if not target:
        return link
    path = (folder / target).resolve().relative_to(root.resolve()).as_posix()
    if path in SOURCES:
        return SOURCES[path] + sharp + anchor
    return (
        f"../{path.removeprefix('docs/')}{sharp}{anchor}"
        if path.startswith("docs/")
        else f"../../{path}{sharp}{anchor}"
    )
