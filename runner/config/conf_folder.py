"""Where the config files lie, and which groups they form."""

from __future__ import annotations

from pathlib import Path

from runner.errors import RunnerError

CONFIG_NAME = "config"  # the file that every run starts from


def conf_dir() -> Path:
    """The folder of config files: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / f"{CONFIG_NAME}.yaml").is_file():
            return folder
    raise RunnerError("the config files are missing", place=str(package / "conf"), hint="Install the package again.")


def group_names() -> set[str]:
    """The config groups: the names of the folders in conf/."""
    return {entry.name for entry in conf_dir().iterdir() if entry.is_dir()}
