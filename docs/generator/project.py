"""Pages that lie outside docs/, where a code host looks for them: copied to docs/project/, their links turned round.

A link to any other file of the project, such as a script, becomes a file to download.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDER = "project"
_FIXED = {  # below the root of the project → page below docs/project/
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "examples/README.md": "examples/index.md",
}
_LINK = re.compile(r"(\]\()([^)\s:]+)(\))")


def sources(root: Path) -> dict[str, str]:
    """Path below the root of the project → name of its copy below docs/project/; each folder of examples/ has a page."""
    walks = {
        f"examples/{file.parent.name}/README.md": file.parent.name for file in sorted(root.glob("examples/*/README.md"))
    }
    return {name: copy for name, copy in _FIXED.items() if (root / name).is_file()} | {
        name: f"examples/{walk}.md" for name, walk in walks.items()
    }


def pages(root: Path) -> dict[str, str]:
    """Name below docs/project/ → text."""
    texts = {}
    for source, copy in sources(root).items():
        text = (root / source).read_text(encoding="utf8")
        texts[copy] = _LINK.sub(
            lambda link, at=(source, copy): f"{link[1]}{_turned(link[2], *at, root)}{link[3]}", text
        )
        if copy.endswith("/index.md"):
            texts[copy] += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"
    return texts


def mend_links(app: Sphinx, docname: str, source: list[str]) -> None:
    """Lead the links of a page of docs/ that go to a copied file to its copy."""
    if docname.startswith(f"{FOLDER}/"):
        return
    for original, copy in sources(Path(app.srcdir).parent).items():
        source[0] = source[0].replace(f"](../{original}", f"]({FOLDER}/{copy}")


def _turned(link: str, source: str, copy: str, root: Path) -> str:
    """A link in the file `source` as one in its copy."""
    target, sharp, anchor = link.partition("#")
    if not target:
        return link
    path = (root / source).parent.joinpath(target).resolve().relative_to(root.resolve()).as_posix()
    copies = sources(root)
    there = PurePosixPath("docs", FOLDER, copies[path]) if path in copies else PurePosixPath(path)
    return os.path.relpath(there, PurePosixPath("docs", FOLDER, copy).parent) + sharp + anchor
