"""Every command of README and docs works as it is written: it is run on small corpora, or composed and checked without training.

The commands of a block are run in their order, in a folder of their own. Words that stand for something of the reader's (MODEL,
RUN) are replaced, and a training gets small sizes where the command names none. Data sets that must be downloaded are read where
RUNNER_DATA_MIRROR has them, and else composed. What can be neither run nor composed here is listed with the reason.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from runner.config.compose import compose
from tests.pages import parsed, workshop
from tests.pages.blocks import PAGES, Block, Command, blocks, commands, commands_of

NOT_RUN = {
    r"pip install|pytest|python3 -m venv|\. \.venv": "set-up: .ci/run does it in fresh environments",
    r"pre-commit": "sets up the reader's repository",
    r"mlflow (models|ui|server)|curl ": "a server: tests/tracking/mlflow and tests/stress/test_serving.py start it",
    r"ray start": "a cluster",
    r"python -m benchmarks": "hours of CPU, parsed alone: tests/benchmarks runs short forms",
    r"python -c .*import my_model": "tests/commands/test_package.py installs a wheel and imports it",
    r"python -m runner (sync|reap|rerun)\b": "works on runs of MLflow: tests/commands has a test of each",
}
NEEDS = {r".*spacy": "spacy", r".* vectors train": "gensim", r".*compute=numba": "numba"}  # extras
STANDS_FOR = {
    "MODEL": "mine", "models:/names@champion": "mine", "my-model": "mine", "DATA": "dev.jsonl", "TAGGER": "tagger",
}  # fmt: skip
COMPOSED = re.compile(
    r"-m$|(repeat|vectors|compute|tracking\.(uri|register|alias))=|(tok2vec|experiment)=encoder|pipeline=full|experiment=recipe"
)
PUBLISHED = re.compile(r"corpus=(?!files|sample|texts)|experiment=(?!mine)")
STORIES = [block for page in PAGES for block in blocks(page) if commands_of(block)]


def words_of(command: Command) -> list[str]:
    """The words after `python -m runner`, with what a reader would write in place of capitals and dots."""
    words = [word for word in shlex.split(command.text)[3:] if word != "…"]
    if words[:1] == ["threshold"]:
        words = ["judge" if word == "MODEL" else word for word in words]
    if words == ["compare", "RUN", "RUN"]:
        return ["compare", "mine", "other"]
    known = [STANDS_FOR.get(word, word) for word in words]
    known = [re.sub(r"=(MODEL|TAGGER)$", lambda m: f"={STANDS_FOR[m[1]]}", word) for word in known]
    known = [word.replace("=…", "=places.jsonl") for word in known]
    is_open = command.text.endswith("…")  # the reader goes on as in the examples above
    return [*known, "corpus.dev=all.jsonl"] if is_open else known


def reason_not_run(command: Command) -> str | None:
    """Why the command is not run here; None if it is."""
    told = [reason for pattern, reason in NOT_RUN.items() if re.match(pattern, command.text)]
    needed = [name for pattern, name in NEEDS.items() if re.match(pattern, command.text)]
    return next(iter([*told, *(f"{name} is not installed" for name in needed if find_spec(name) is None)]), None)


def points(words: list[str]) -> list[list[str]]:
    """The jobs of a multirun: every combination of values that commas separate outside of brackets; of a search its first."""
    choices = []
    for word in words:
        key, _, value = word.partition("=")
        searched = re.match(r"(?:tag|interval|range|choice)\(.*?([\d.e-]+)[,)]", value)
        if searched is not None:
            choices.append([f"{key}={searched[1]}"])
            continue
        is_grid = "," in value and not re.search(r"[\[({'\"]", value)
        choices.append([f"{key}={each}" for each in value.split(",")] if is_grid else [word])
    return [list(job) for job in itertools.product(*choices)]


def is_composed(words: list[str]) -> bool:
    """Whether a training is too long to be run here, or its data are not here."""
    has_data = "RUNNER_DATA_MIRROR" in os.environ
    return any(COMPOSED.match(word) or (PUBLISHED.match(word) and not has_data) for word in words)


def check(command: Command) -> None:
    """Run or compose a command in the current folder. Raises what it raises; fails with what it printed."""
    if command.text.startswith("cd "):
        os.chdir(command.text.split()[1])
        return
    if command.text.startswith("python -c "):
        exec(shlex.split(command.text)[2], {})
        return
    assert command.text.startswith("python -m runner"), (
        f"nothing is known of {command}: run it, or say in NOT_RUN why not"
    )
    words = words_of(command)
    name = next(iter(words[1:] if words[0].startswith("code=") else words), "train")
    is_training = not name.isidentifier() or name in ("train", "pretrain")
    if (is_training or name == "debug") and is_composed(words):
        folder = words[words.index("--config-dir") + 1] if "--config-dir" in words else None
        words = [word for word in words if not re.match(r"hydra[/.]launcher", word)]  # plugins of extras
        for job in points([word for word in words if word not in ("-m", "debug", "--config-dir", folder)]):
            compose(job, folder)
        return
    if is_training and "--help" not in words and "--cfg" not in words:
        words = workshop.cheap(words)
    if name == "debug":
        words = [*words, "corpus.limit=20"]
    code, told = workshop.run(words)
    assert code == 0, f"{command}\n{' '.join(words)}\n{told}"


@pytest.mark.slow
@pytest.mark.parametrize("block", STORIES, ids=[f"{block.page}:{block.line}" for block in STORIES])
def test_the_commands_of_a_block_work(block: Block, work: Path) -> None:
    reasons = []
    for command in commands_of(block):
        reason = reason_not_run(command)
        if command.text.startswith("python -m"):
            assert parsed.fault(command.text) is None, command
        if reason is None:
            check(command)
        else:
            reasons.append(f"{command.text}: {reason}")
    if len(reasons) == len(commands_of(block)):
        pytest.skip("; ".join(reasons))


def test_every_reason_is_needed() -> None:
    texts = [command.text for page in PAGES for command in commands(page)]
    assert [pattern for pattern in NOT_RUN if not any(re.match(pattern, text) for text in texts)] == []


@pytest.mark.parametrize(
    "text",
    [
        "python -m runner optimzer=adam",
        "python -m runner -m corpus=wnut17 optimizer=adam,radm",
        "python -m runner predict MODEL nothing.txt -o out.jsonl",
        "python -m runner corpus=files corpus.train=nothing.jsonl corpus.dev=dev.jsonl",
        "ruby run.rb",
    ],
)
def test_a_command_that_does_not_work_fails(text: str, work: Path) -> None:
    with pytest.raises(Exception, match=r"optimzer|radm|nothing"):
        check(Command("page.md", 1, text))


def test_the_words_after_a_command_are_not_of_it() -> None:
    block = Block(
        "page.md",
        3,
        "",
        "python -m runner info && pip list   what # there is\n  out\npython -m runner 'a  b' \\\n  c\n",
    )
    assert [(command.line, command.text) for command in commands_of(block)] == [
        (3, "python -m runner info"), (3, "pip list"), (5, "python -m runner 'a  b' c"),
    ]  # fmt: skip
