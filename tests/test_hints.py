"""Advice works as it is written: every text that names a key, an option or a command is raised, and followed.

A story in tests/hints raises an error and does what it says. Whoever writes a text with a key or an option in it writes
a story too: a text that no story tells of fails here, as does a story whose text is gone.
"""

from __future__ import annotations

import contextlib
import doctest
from pathlib import Path

import pytest

from .hints import commands, config, data, place, tracking, vectors
from .hints.inventory import Advice, inventory
from .hints.place import Place
from .hints.story import STORIES, Told

pytestmark = pytest.mark.slow

__all__ = ["commands", "config", "data", "tracking", "vectors"]

INVENTORY = inventory()

# Texts that are no advice to a user, though they look like it; and why.
NO_ADVICE = [
    Told("launch/help.py", "(?P<about>"),  # a pattern
    Told("tracking/mlflow/around.py", "-r requirements.txt"),  # a line of a logged model's environment
    Told("tracking/mlflow/models.py", "curl 127.0.0.1:5001"),  # in a model's description
    Told(
        "tracking/mlflow/models.py", "mlflow models serve"
    ),  # in a model's description; tests/stress/serving.py runs it
    Told(
        "tracking/mlflow/view.py", "MLflow: mlflow ui"
    ),  # said at the end of every run; tests/tracking/mlflow/test_tracker.py
    Told("config/explain_overrides.py", "requires --multirun"),  # of a message of Hydra's, that is looked for
    # How `convert` spells a reader's advice; tests/hints/commands.py follows it.
    *(Told("commands/convert.py", text) for text in ("--option '", "--from \\1", "--n-sents \\1", "--option \\1")),
]

# Raised and followed in other tests, as they take a server or a signal: the file, and what stands there of the text.
ELSEWHERE = {
    Told("synonyms.py", ""): ("test_mistakes.py", "def test_every_synonym_composes"),
    Told("config/mistyped.py", ""): ("test_mistakes.py", "def follow"),
    Told("config/explain.py", "Write {}.type=NAME."): ("test_mistakes.py", "Write corpus.reader.type=NAME."),
    Told("config/explain.py", "Write {}=null."): ("test_mistakes.py", "Write training.max_epochs=null."),
    Told("config/explain_overrides.py", "or add --multirun to run each."): (
        "test_mistakes.py",
        "Write optimizer.learn_rate=0.01,",
    ),
    Told("config/explain_overrides.py", "a run starts from new weights."): (
        "test_mistakes.py",
        "a run starts from new weights.",
    ),
    Told("config/explain_overrides.py", "vectors=spacy vectors.model={}"): (
        "test_mistakes.py",
        "vectors=spacy vectors.model=en_core_web_lg",
    ),
    Told("corpus/readers/auto.py", "by its first lines; corpus.reader.type=NAME"): (
        "test_mistakes.py",
        "the file is read as iob",
    ),
    Told("launch/command_line.py", "a pipeline is chosen by pipeline=NAME."): ("test_mistakes.py", "-p ner"),
    Told("launch/command_line.py", "runner completion bash"): (
        "commands/test_completion.py",
        'Write eval "$(runner completion bash)"',
    ),
    Told("launch/command_line.py", "is for --cfg"): ("test_mistakes.py", "is for --cfg"),
    Told("commands/resume.py", "not everything of it reached MLflow"): (
        "commands/test_folder.py",
        "not everything of it reached",
    ),
    Told("commands/ending.py", "the same command with resume=auto"): (
        "commands/test_resume.py",
        "with resume=auto goes on",
    ),
    Told("tracking/mlflow/delivery.py", "Start it, set tracking.uri="): (
        "commands/test_sync.py",
        "Start it, set tracking.uri=",
    ),
    Told("tracking/mlflow/delivery.py", "To send the rest: "): (
        "commands/test_sync.py",
        "To send the rest: python -m runner",
    ),
    Told("tracking/mlflow/tracker.py", "Sent when the server is back"): (
        "commands/test_sync.py",
        "or later: python -m runner",
    ),
}


def of(told: Told) -> list[Advice]:
    return [one for one in INVENTORY if one.file == told.file and told.fragment in one.text]


@pytest.mark.parametrize("name", STORIES)
def test_advice_works_as_it_is_written(name, tmp_path, monkeypatch):
    act, texts = STORIES[name]
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(variable, raising=False)
    at = Place(tmp_path, monkeypatch)
    with contextlib.chdir(tmp_path):
        act(at)
    said = " ".join(" ".join(at.told).split())
    for told in texts:
        for advice in of(told):
            position = 0
            for piece in advice.pieces:
                piece = " ".join(piece.split())
                assert piece in said[position:], f"not raised: {advice.text!r}"
                position = said.index(piece, position) + len(piece)


def test_every_text_that_names_a_key_or_an_option_has_a_story():
    known = [told for _, texts in STORIES.values() for told in texts] + NO_ADVICE + list(ELSEWHERE)
    bare = [one for one in INVENTORY if not any(one.file == t.file and t.fragment in one.text for t in known)]
    assert not bare, "write a story in tests/hints for\n" + "\n".join(f"  {one.file}: {one.text}" for one in bare)


def test_no_story_is_of_a_text_that_is_gone():
    known = [told for _, texts in STORIES.values() for told in texts] + NO_ADVICE + list(ELSEWHERE)
    stale = [told for told in known if not of(told)]
    assert not stale, f"these texts are gone, or name nothing any more: {stale}"


def test_what_other_tests_tell_stands_there():
    for file, quoted in ELSEWHERE.values():
        assert quoted in (Path(__file__).parent / file).read_text(encoding="utf8"), file


def test_alternatives_are_told_apart():
    assert doctest.testmod(place).failed == 0
