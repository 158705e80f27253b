"""The folders of runs and sweeps: where Hydra would put a sweep, what it notes in a run's folder, what a refused run leaves.

Hydra writes its notes (`.hydra/config.yaml` and the like) before a job begins, secrets included, into a folder where another
process may be training. So it is told to write none (`hydra.output_subdir=null`), and the run writes them once it holds
its folder's lock.
"""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from omegaconf import DictConfig

NOTES_FOLDER = ".hydra"
NO_NOTES = "hydra.output_subdir=null"
_WHEN = re.compile(r"\$\{(?:now|random_digits):[^{}]*\}")
_ANY = "ANYTIMEATALL"  # stands for a part of a path that differs each time a command is issued


class SweepFolder(NamedTuple):
    """path: where Hydra would put the sweep. earlier: a glob pattern of the folders where the same command may have put it
    before: the same path with any time in place of `${now:…}`, and any digits."""

    path: Path
    earlier: str


def folder_of(master: DictConfig) -> SweepFolder:
    """The folder that a sweep's config names."""
    from omegaconf import OmegaConf, read_write

    folder = Path(str(master.hydra.sweep.dir))
    written: Any = OmegaConf.to_container(master, resolve=False)
    raw = {"output_dir": written["output_dir"], "hydra.sweep.dir": written["hydra"]["sweep"]["dir"]}
    with read_write(master):
        for key, value in raw.items():
            if isinstance(value, str):
                OmegaConf.update(master, key, _WHEN.sub(lambda match: re.sub("[^/]+", _ANY, match[0]), value))
        pattern = os.path.normpath(str(master.hydra.sweep.dir))
        for key, value in raw.items():
            OmegaConf.update(master, key, value)
    return SweepFolder(folder, glob.escape(pattern).replace(_ANY, "*"))


def place(master: DictConfig, folder: Path) -> None:
    """Have Hydra put the sweep and its jobs into `folder`.

    Launchers compose each job anew from the words of the command line, so the folder becomes one of these words.
    """
    from omegaconf import open_dict

    with open_dict(master):
        master.hydra.sweep.dir = str(folder)
        quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
        master.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")


def hydras_notes(node: DictConfig, folder: str | None) -> dict[str, str]:
    """What Hydra would write into the job's folder, without secrets: file name in the run's folder → text.

    folder: for the notes, inside the run's folder; None: no notes.
    """
    from hydra.core.hydra_config import HydraConfig

    from runner.config.guard import clean_yaml

    if folder is None:
        return {}
    notes = {"config": node, "hydra": HydraConfig.instance().cfg, "overrides": HydraConfig.get().overrides.task}
    return {f"{folder}/{name}.yaml": clean_yaml(about) for name, about in notes.items()}


def remove_empty_run(folder: Path, *, has_own_name: bool) -> None:
    """Remove the folder of a refused run if it is empty, and unless the user named it (`has_own_name`), empty ones above."""
    parents = [] if has_own_name else [folder.parent, folder.parent.parent]
    for empty in (folder, *parents):
        try:
            empty.rmdir()
        except OSError:
            return
