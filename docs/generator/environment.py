"""Environment variables: those that conf/ reads, and those that the program reads."""

from __future__ import annotations

import re

from generator.keys import PRESETS
from generator.markdown import code, plain, table
from generator.yaml_comments import lines
from runner.config.conf_folder import conf_dir

PROGRAM = {
    "MLFLOW_TRACKING_URI": "the MLflow store, where `tracking.uri` is null, and of every command that asks MLflow",
    "MLFLOW_EXPERIMENT_NAME": "the experiment, where `tracking.experiment` is null",
    "RUNNER_DATA_MIRROR": "a folder that holds data sets and encoders, in place of their downloads",
    "XDG_CACHE_HOME": "the cache of downloads, packed corpora and encoders' vectors: its folder `runner`; else `~/.cache/runner`",
    "NO_COLOR": "set to anything: no colours on the terminal",
    "TERM": "`dumb`: a terminal without colours",
    "OPENBLAS_NUM_THREADS, OMP_NUM_THREADS": "not needed: a run sets its BLAS threads (`compute.threads`); `info` shows them",
    "BLIS_ARCH_TYPE": "the kernel of BLIS, with `compute.ops=blis`",
    "MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_, GLIBC_TUNABLES": "settings of malloc; the program then makes none",
    "HYDRA_FULL_ERROR": "1: the traceback under a short error",
}


def page() -> str:
    """The page of environment variables."""
    rows = []
    for path in sorted(conf_dir().glob("*/*.yaml")):
        prefix = "" if path.parent.name in PRESETS else f"{path.parent.name}."
        for line in lines(path):
            given = re.search(r"\$\{oc\.env:(\w+),([^}]*)\}", line.value)
            if given is not None:
                key = f"{code(prefix + line.key)} of {code(f'{path.parent.name}={path.stem}')}"
                rows.append((code(given[1]), key, code(given[2]), plain(line.reason)))
    shown = [
        "# Environment variables",
        "## Read by the program",
        table(
            ("variable", "what it does"),
            [(", ".join(map(code, name.split(", "))), text) for name, text in PROGRAM.items()],
        ),
        "## Read by conf/",
        "They set the default of a key, as the scripts of spaCy 2's training guide had it; what the command line says wins.",
        table(("variable", "key", "else", "why"), sorted(rows)),
        "In a config of your own, `${oc.env:NAME,DEFAULT}` reads any variable. Passwords belong there: the expression is kept, "
        "and not its value ([trust](../trust.md)).",
    ]
    return "\n\n".join(shown) + "\n"
