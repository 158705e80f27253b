"""Write a trained pipeline as a folder that `spacy.load` opens where this project is installed.

config.cfg       spaCy's: our tokenizer's block, one component `runner`
meta.json, vocab/, tokenizer     spaCy's
runner/          our model folder, checksums included
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner import __version__
from runner.components.pipeline import Pipeline
from runner.errors import RunnerError
from runner.files import write_folder

_LANGUAGE = re.compile("[a-z]{2,3}")  # spaCy imports a module of this name


def write_spacy(pipeline: Pipeline, path: Path) -> None:
    """Write the folder, whole or not at all.

    Raises RunnerError if spaCy is missing, or the model cannot be used in it; RunFailed if the system refuses.
    """
    check_code(pipeline.describe().get("code", []), str(path))
    nlp = spacy_pipeline(pipeline)
    write_folder(path, nlp.to_disk)


def check_code(code: Sequence[str], place: str) -> None:
    """Raise RunnerError if the model needs Python files of its maker's, which spaCy would not run."""
    if code:
        hint = "Use it from Python: runner.load(path, code=[FILE])."
        raise RunnerError(f"spaCy could not load the model: it needs {', '.join(code)}", place=place, hint=hint)


def spacy_pipeline(pipeline: Pipeline) -> Any:
    """A spaCy pipeline (Language) that holds ours, tokenizer included. Raises RunnerError if that cannot be."""
    try:
        import spacy
    except ImportError as error:
        raise RunnerError(
            f"handing over to spaCy needs spaCy, which cannot be imported ({error})",
            hint='Run `pip install "declarative-runner[spacy]"`.',
        ) from error
    from runner.handover import spacy_pipe, spacy_tokenizer

    tokenizer = {"@tokenizers": spacy_tokenizer.NAME, "block": dict(pipeline.tokenizer_block)}
    config = {"nlp": {"tokenizer": tokenizer}}
    try:
        nlp = spacy.blank(pipeline.lang if _LANGUAGE.fullmatch(pipeline.lang) else "xx", config=config)
    except ImportError:  # a language that spaCy does not know
        nlp = spacy.blank("xx", config=config)
    nlp.meta["requirements"] = [f"declarative-runner>={__version__}"]  # `spacy package` asks for it
    component: Any = nlp.add_pipe(spacy_pipe.FACTORY)
    component.take(pipeline)
    return nlp
