"""`python -m runner pretrain`, and `init.tok2vec`: token vectors learned from raw text, and runs that start from them."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import runner
from runner.__main__ import main
from runner.commands.pretrain import as_overrides
from runner.components.inputs import Batch
from runner.corpus.doc import Doc
from runner.errors import RunnerError
from runner.tracking.initial import initial_model

SMALL = ("tok2vec.width=16", "tok2vec.depth=1", "tok2vec.embed_size=100", "tracking=none", "training.errors=false")
NAMES, TOWNS, VERBS = ("Ann", "Bob", "Eve"), ("Rome", "Oslo", "Bonn"), ("went", "walked", "flew")


class Ended(NamedTuple):
    """A command that is over."""

    code: int
    stdout: str
    stderr: str


def command(cwd: Path, *words: str, code: int = 0) -> Ended:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        ended = main(list(words))
    assert ended == code, err.getvalue()
    return Ended(ended, out.getvalue(), err.getvalue())


def train(cwd: Path, out: str, *overrides: str, code: int = 0) -> Ended:
    words = ("corpus=files", "corpus.train=tagged.jsonl", "corpus.dev=tagged.jsonl", "training.max_epochs=1")
    return command(cwd, *words, f"output_dir={out}", "tracking=none", "training.errors=false", *overrides, code=code)


def summary(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf8"))
    return content


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw texts, a model pretrained on them, and tagged texts of fewer words."""
    folder = tmp_path_factory.mktemp("pretrain")
    raw = [f"{name} {verb} to {town} .\n" for name in NAMES for town in TOWNS for verb in VERBS]
    (folder / "raw texts.txt").write_text("".join(raw), "utf8")
    tagged = [{"words": [name, "went", "to", "Rome"], "tags": ["N", "V", "P", "N"]} for name in NAMES]
    (folder / "tagged.jsonl").write_text("".join(json.dumps(one) + "\n" for one in tagged), "utf8")
    command(folder, "pretrain", "raw texts.txt", "output_dir=pre", "training.max_epochs=2", *SMALL)
    return folder


def test_pretraining_reads_a_line_as_a_text_and_scores_texts_that_it_held_back(place: Path) -> None:
    nlp = runner.load(place / "pre" / "model-best")
    assert nlp.components["words"].type == "word_vectors"
    assert summary(place / "pre")["best"]["scores"]["hidden_sim"] > 0
    saved = (place / "pre" / "config.yaml").read_text("utf8")
    assert "folds: 20" in saved
    assert "raw texts.txt" in saved


def test_words_of_the_command_line() -> None:
    assert as_overrides(["a.txt", "corpus.dev=b.txt", "--config-dir", "mine"]) == [
        "pipeline=pretrain", "corpus=texts", "corpus.train=['a.txt']", "corpus.folds=null", "corpus.fold=null",
        "corpus.dev=b.txt", "--config-dir", "mine",
    ]  # fmt: skip
    assert as_overrides(["it's.txt"])[2] == "corpus.train=['it\\'s.txt']"
    with pytest.raises(RunnerError, match="no texts to learn from"):
        as_overrides(["seed=1"])


def test_a_run_begins_with_the_pretrained_weights(place: Path) -> None:
    still = ("optimizer.learn_rate=1e-9", "optimizer.use_averages=false", "tok2vec.embed_size=100")
    ended = train(place, "first", "pipeline=tagger", "init.tok2vec=pre", *still)
    told = summary(place / "first")["init_tok2vec"]
    assert told["components"] == ["tagger"]
    assert told["loaded"] == told["weights"] > 1000
    assert f"{told['weights']:,} of {told['weights']:,} weights loaded" in ended.stdout
    before = runner.load(place / "pre" / "model-best").network.tok2vec_values("words")
    after = runner.load(place / "first" / "model-last").network.tok2vec_values("tagger")
    assert before.keys() == after.keys()
    for path, values in before.items():  # width and depth, which the run left open, are the pretrained ones
        assert np.allclose(values, after[path], atol=1e-5), path


def test_a_word_of_the_raw_texts_alone_is_not_hidden_as_unknown(place: Path) -> None:
    train(place, "knows", "pipeline=tagger", "init.tok2vec=pre", "tok2vec.embed_size=100")
    train(place, "scratch", "pipeline=tagger", *SMALL)
    counts = {}
    for name in ("knows", "scratch"):
        nlp = runner.load(place / name / "model-last")
        batch = Batch.of([Doc(["went", "flew", "swam"])], nlp.lexemes)
        counts[name] = batch.tokens(("norm",)).counts.tolist()
    assert counts["scratch"] == [3, 0, 0]
    went, flew, swam = counts["knows"]
    assert went == 3 + flew or went > flew > 0  # the counts of both are added
    assert swam == 0


def test_other_settings_are_refused_before_anything_is_read(place: Path) -> None:
    for setting, key in (
        ("tok2vec.width=32", "width"),
        ("tok2vec.depth=2", "depth"),
        ("tok2vec.features=[norm]", "features"),
    ):
        words = ("pipeline=tagger", "init.tok2vec=pre", "corpus.train=gone.jsonl", "tok2vec.embed_size=100", setting)
        ended = train(place, "refused", *words, code=2)
        lines = ended.stderr.strip().splitlines()
        assert len(lines) == 2
        assert lines[0].startswith(f"tok2vec.{key}: {key} of the token vectors of 'tagger' is ")
    assert not (place / "refused").exists()


def test_word_dropout_may_differ(place: Path) -> None:
    train(place, "dropout", "pipeline=tagger", "init.tok2vec=pre", "tok2vec.embed_size=100", "tok2vec.word_dropout=0.9")


def test_components_that_have_learned_keep_their_token_vectors(place: Path) -> None:
    train(place, "tagged", "pipeline=tagger", *SMALL)
    train(place, "twice", "init.model=tagged", "init.tok2vec=pre", code=2)
    kept = ("init.model=tagged", "init.tok2vec=pre", "training.components=[other]")
    block = "{type: tagger, tok2vec: {type: hash_embed_cnn, width: 16, depth: 1, embed_size: 100}}"
    train(place, "beside", *kept, f"+pipeline.components.other={block}")
    assert summary(place / "beside")["init_tok2vec"]["components"] == ["other"]
    before, after = (runner.load(place / name / "model-last") for name in ("tagged", "beside"))
    for path, values in before.parameters.all_values().items():
        assert (after.parameters.all_values()[path] == values).all(), path
    flew = [Doc(["flew"])]
    counts = [nlp.network.words.of(name).get(int(Batch.of(flew, nlp.lexemes).tokens(("norm",)).features[0, 0]), 0)
              for nlp, name in ((after, "tagger"), (after, "other"))]  # fmt: skip
    assert counts[0] == 0
    assert counts[1] > 0


def test_the_pretrained_model_is_part_of_what_a_run_is(place: Path) -> None:
    words = ("pipeline=tagger", "tok2vec.embed_size=100")
    shutil.copytree(place / "pre", place / "copy")
    command(place, "pretrain", "raw texts.txt", "output_dir=pre1", "training.max_epochs=1", "seed=1", *SMALL)
    for name in ("pre", "copy", "pre1"):
        train(place, f"from-{name}", *words, f"init.tok2vec={name}")
    one, same, other = (summary(place / f"from-{name}") for name in ("pre", "copy", "pre1"))
    assert one["fingerprint"] == same["fingerprint"] != other["fingerprint"]
    assert one["weights_sha256"] == same["weights_sha256"] != other["weights_sha256"]


def test_a_model_without_token_vectors_is_refused(place: Path) -> None:
    cats = [{"text": f"{name} flew", "cats": {"A": i % 2, "B": 1 - i % 2}} for i, name in enumerate(NAMES * 2)]
    (place / "cats.jsonl").write_text("".join(json.dumps(one) + "\n" for one in cats), "utf8")
    data = ("corpus.train=cats.jsonl", "corpus.dev=cats.jsonl")
    train(place, "bow", "pipeline=textcat_bow", *data)
    ended = train(place, "refused", "pipeline=tagger", "init.tok2vec=bow", code=2)
    assert "no component of this model has token vectors" in ended.stderr


def test_help() -> None:
    assert "usage: python -m runner pretrain TEXTS..." in command(Path(), "pretrain", "--help").stdout


def test_trackers_are_told_of_the_parent(place: Path) -> None:
    tags = initial_model(str(place / "pre"), key="init.tok2vec").tags("init.tok2vec")
    best = json.loads((place / "pre" / "model-best" / "meta.json").read_text("utf8"))
    assert tags["init.tok2vec.weights_sha256"] == best["weights_sha256"]
    assert tags["init.tok2vec.model"].endswith("model-best")
    assert all(key.startswith("init.tok2vec.") for key in tags)


def test_predictions_of_a_pretrained_model_are_records(place: Path) -> None:
    (place / "two.txt").write_text("Ann flew to Rome .\nBob went .\n", "utf8")
    command(place, "predict", "pre", "two.txt", "-o", "two.jsonl")
    lines = (place / "two.jsonl").read_text("utf8").splitlines()
    for line in lines:
        assert list(json.loads(line)) == ["text", "words", "hidden", "hidden_sim"]
    assert len(lines) == 2
