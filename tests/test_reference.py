"""The built reference names every schema key, config option, registry entry, command and option of a command line.

What must be there is asked of the code by other means than those that write the reference: dataclasses by their fields,
registries by their tables, commands by what their --help prints.
"""

from __future__ import annotations

import dataclasses
import io
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import pytest
import yaml

import runner
from runner import __main__ as program
from runner import registry
from runner.config import schema
from runner.config.conf_folder import conf_dir

pytest.importorskip("sphinx", reason="the extra docs is not installed")
pytest.importorskip("furo", reason="the extra docs is not installed")

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
RUNNER = ROOT / "runner"


@dataclasses.dataclass(frozen=True)
class Built:
    """The built pages. objects: (kind, name) of all that the inventory knows. warnings: what Sphinx wrote on stderr."""

    folder: Path
    objects: frozenset[tuple[str, str]]
    warnings: str

    def text(self, page: str) -> str:
        return (self.folder / f"{page}.html").read_text(encoding="utf8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    from sphinx.application import Sphinx
    from sphinx.util.inventory import InventoryFile

    folder = tmp_path_factory.mktemp("pages")
    warnings = io.StringIO()
    before = list(sys.path)
    try:
        with catch_warnings():
            simplefilter("ignore", PendingDeprecationWarning)  # of myst-parser about Sphinx 11
            app = Sphinx(
                DOCS, DOCS, folder / "html", folder / "trees", "html", {"nitpicky": True}, status=None, warning=warnings
            )
            app.build()
    finally:
        sys.path[:] = before  # docs/conf.py adds its own folder
    with (folder / "html" / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, uri: uri)
    known = frozenset((kind, name) for kind, names in inventory.items() for name in names)
    return Built(folder / "html", known, warnings.getvalue())


def keys(kind: Any, prefix: str = "") -> Iterator[str]:
    """Every dotted key of a section of the schema."""
    for field in dataclasses.fields(kind):
        inner = field.default_factory
        if isinstance(inner, type) and dataclasses.is_dataclass(inner):
            yield from keys(inner, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}"


def options_of(command: str) -> list[str]:
    """The options that the printed help of a command names at the start of a line."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        program.main([command, "--help"])
    lines = re.findall(r"^  (-\S.*)$", printed.getvalue(), re.M)
    return [option for line in lines for option in re.findall(r"(?<![\w-])--?[a-z][\w-]*", re.split(r"  +", line)[0])]


def missing(built: Built) -> list[str]:
    """What the code has and the reference lacks."""
    lacking = [f"key {key}" for key in keys(schema.RootConfig) if ("std:confval", key) not in built.objects]
    for kind, table in registry.KINDS.items():
        lacking += [
            f"entry {kind}.{name}"
            for name in table.names()
            if name not in table.mains and ("std:entry", f"{kind}.{name}") not in built.objects
        ]
    page = built.text("reference/commands")
    lacking += [f"command {command}" for command in registry.commands.mains if f"<h2>{command}<" not in page]
    for command in registry.commands.mains.keys() - {"train", "pretrain"}:
        known = {name for kind, name in built.objects if kind == "std:cmdoption" and name.startswith(f"{command}.")}
        lacking += [
            f"option {command} {option}" for option in options_of(command) if f"{command}.{option}" not in known
        ]
    lacking += [f"name runner.{name}" for name in runner.__all__ if ("std:api", f"runner.{name}") not in built.objects]
    variables = built.text("reference/environment")
    lacking += [f"variable {name}" for name in variables_of(RUNNER) if name not in variables]
    return [*lacking, *missing_of_conf(built, conf_dir())]


def missing_of_conf(built: Built, conf: Path) -> list[str]:
    """The options of config groups, and the keys that their files set, that the pages of the groups lack."""
    lacking = []
    for file in sorted(conf.glob("*/[!_]*.yaml")):  # "_": a part of other files
        group, page = file.parent.name, built.folder / "reference" / "groups" / f"{file.parent.name}.html"
        text = page.read_text(encoding="utf8") if page.is_file() else ""
        section = re.search(rf"<h2>{group}={file.stem}<.*?(?=<h2>|\Z)", text, re.S)
        if section is None:
            lacking.append(f"option {group}={file.stem}")
            continue
        shown = re.sub(r"<[^>]+>", "", section[0])
        names = flat(yaml.safe_load(file.read_text(encoding="utf8")))
        lacking += [f"key {name} of {group}={file.stem}" for name in names if name not in shown]
    return lacking


def variables_of(package: Path) -> set[str]:
    """The environment variables that the files of a package name where they read one."""
    texts = [file.read_text(encoding="utf8") for file in package.rglob("*.py")]
    return {name for text in texts for name in re.findall(r'environ(?:\.get)?[\[(]"(\w+)"', text)}


def flat(node: Any) -> Iterator[str]:
    """The names of all keys of a file, without Hydra's list of defaults."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if key != "defaults":
            yield str(key)
            yield from flat(value)


def test_the_pages_build_without_a_warning_and_every_link_leads_somewhere(built: Built) -> None:
    assert built.warnings == ""


def test_the_reference_lacks_nothing(built: Built) -> None:
    assert missing(built) == []


def test_what_is_added_to_the_code_is_missed(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    more = dataclasses.make_dataclass("RootConfig", [("nonsense", int, dataclasses.field(default=0))])
    monkeypatch.setattr(schema, "RootConfig", dataclasses.make_dataclass("Longer", [], bases=(more,)))
    monkeypatch.setitem(registry.commands.mains, "nonsense", "runner.commands.info")
    registry.schedules.names()
    monkeypatch.setitem(registry.schedules._factories, "nonsense", lambda: None)
    monkeypatch.setattr(runner, "__all__", [*runner.__all__, "nonsense"])
    lacking = missing(built)
    assert {
        "name runner.nonsense",
        "key nonsense",
        "entry schedules.nonsense",
        "command nonsense",
        "option nonsense --json",
    } <= set(lacking)


def test_what_is_taken_from_the_reference_is_missed(built: Built) -> None:
    gone = {
        ("std:confval", "training.patience"),
        ("std:entry", "optimizers.sgd"),
        ("std:cmdoption", "evaluate.--split"),
    }
    assert gone <= built.objects
    less = dataclasses.replace(built, objects=built.objects - gone)
    assert missing(less) == ["key training.patience", "entry optimizers.sgd", "option evaluate --split"]


def test_a_new_file_of_a_group_and_a_new_key_of_one_are_missed(built: Built, tmp_path: Path) -> None:
    shutil.copytree(conf_dir(), tmp_path / "conf")
    (tmp_path / "conf" / "optimizer" / "nonsense.yaml").write_text("type: adam\n", encoding="utf8")
    with (tmp_path / "conf" / "optimizer" / "sgd.yaml").open("a", encoding="utf8") as file:
        file.write("nonsense: 1\n")
    assert missing_of_conf(built, tmp_path / "conf") == ["option optimizer=nonsense", "key nonsense of optimizer=sgd"]


def test_each_key_has_its_type_default_and_meaning(built: Built) -> None:
    page = re.sub(r"<[^>]+>", "", built.text("reference/keys"))
    assert re.search(r"corpus\.folds\W+Cut the training data into this many folds; null: use corpus\.dev\.\W+Type:\W+"
                     r"whole number or null; at least 2\W+Default:\W+null", page)  # fmt: skip


def test_an_option_has_the_reasons_of_its_file(built: Built) -> None:
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", built.text("reference/groups/training")))
    assert "max_rollbacks 0 divergence is a finding: stop. A night of unattended runs may want 3" in page


def test_every_schedule_is_drawn(built: Built) -> None:
    for name in registry.schedules.names():
        for mode in ("light", "dark"):
            assert "<svg" in (built.folder / "_images" / f"{name}-{mode}.svg").read_text(encoding="utf8")
