"""The reference, written from the code: a Sphinx extension that fills docs/reference/ before the pages are read.

    keys.py        the schema, and the files of conf/ with their comments
    entries.py     the registries
    commands.py    the commands and their options
    environment.py the environment variables
    names.py       what `import runner` gives
    plots.py       the schedules, drawn
    project.py     pages that lie outside docs/, such as CHANGELOG.md
    markdown.py    text → Markdown

A page is written only if its text has changed, so that a second build reads little. Pages that nothing writes any more are
deleted. Nothing here is part of the installed package.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator import commands, entries, environment, keys, names, plots, project

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDER = "reference"


def pages() -> dict[str, str]:
    """Every page of the reference: name of the file below docs/reference/ → its Markdown."""
    return {
        "keys.md": keys.schema_page(),
        **{f"groups/{name}.md": text for name, text in keys.group_pages().items()},
        **{f"entries/{kind}.md": text for kind, text in entries.pages().items()},
        "schedules.md": plots.page(),
        "commands.md": commands.page(),
        "environment.md": environment.page(),
        "names.md": names.page(),
    }


def write(docs: Path) -> None:
    """Bring docs/reference/ and docs/project/ up to date."""
    texts = {f"{FOLDER}/{name}": text for name, text in pages().items()}
    texts |= {f"{project.FOLDER}/{name}": text for name, text in project.pages(docs.parent).items()}
    for name, text in texts.items():
        file = docs / name
        if not file.is_file() or file.read_text(encoding="utf8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf8")
    pictures = plots.draw(docs / FOLDER / "plots")
    kept = {docs / name for name in texts} | set(pictures)
    for folder in (FOLDER, project.FOLDER):
        for file in (docs / folder).rglob("*"):
            if file.is_file() and file not in kept:
                file.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx; the role `entry` names a registry entry, as in {entry}`optimizers.adam`."""
    app.add_object_type("entry", "entry", objname="registry entry")
    app.add_object_type("api", "api", objname="Python name")
    app.connect("builder-inited", lambda app: write(Path(app.srcdir)))
    app.connect("source-read", project.mend_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
