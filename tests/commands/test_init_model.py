"""`init.model=MODEL`: a run goes on from a trained model, with more labels, more components, or some of them frozen."""

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

TINY = (
    "corpus=files", "tracking=none", "dropout=constant", "training.max_epochs=2", "batch=words", "batch.size=20",
    "optimizer.learn_rate=0.01",
)  # fmt: skip
SMALL = ("tok2vec=small", "tok2vec.width=16", "tok2vec.depth=1", "tok2vec.embed_size=100")
NAMES, PLACES = ("Ann", "Bob", "Eve"), ("Rome", "Oslo", "Bonn")


class Ended(NamedTuple):
    """A run that is over."""

    code: int
    folder: Path
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads((self.folder / "summary.json").read_text("utf8"))
        return summary

    @property
    def nlp(self) -> Any:
        return runner.load(self.folder)


def train(cwd: Path, out: str, *overrides: str) -> Ended:
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        code = main([*TINY, f"output_dir={out}", *overrides])
    return Ended(code, cwd / out, stdout.getvalue(), stderr.getvalue())


def data(*names: str) -> list[str]:
    return [f"corpus.{part}={name}.jsonl" for part, name in zip(("train", "dev"), names * 2, strict=False)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data of people, of people and places, of tags and categories, and a model of people and tags."""
    folder = tmp_path_factory.mktemp("init")
    people, both, more = [], [], []
    for name in NAMES:
        for town in PLACES:
            words = [name, "went", "to", town, "."]
            tags = ["N", "V", "P", "N", "."]
            people.append({"words": words, "entities": ["U-PER", "O", "O", "O", "O"], "tags": tags})
            both.append({"words": words, "entities": ["U-PER", "O", "O", "U-LOC", "O"], "tags": tags})
            more.append({"words": words, "cats": {"A": float(name == "Ann"), "B": float(name != "Ann")}, "tags": tags})
    for stem, records in (("people", people), ("both", both), ("more", more)):
        (folder / f"{stem}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), "utf8")
    (folder / "two.yaml").write_text("")
    ended = train(
        folder, "first", "pipeline=[ner,tagger]", *SMALL, *data("people"), "pipeline.score_weights={}",
        "training.max_epochs=8",
    )  # fmt: skip
    assert ended.code == 0, ended.stderr
    return folder


def weights(nlp: Any, component: str) -> dict[str, bytes]:
    views = nlp.parameters.views(nlp.parameters.weights)
    return {path: view.tobytes() for path, view in views.items() if path.startswith(f"{component}/")}


def test_a_run_goes_on_from_a_model_and_adds_a_label(place: Path) -> None:
    ended = train(place, "second", "init.model=first", *data("both"))
    assert ended.code == 0, ended.stderr
    before = runner.load(place / "first")
    assert before.get_pipe("ner").labels == ["PER"]
    assert ended.nlp.get_pipe("ner").labels == ["PER", "LOC"]
    assert ended.nlp.pipe_names == ["ner", "tagger"]
    told = ended.summary["init"]
    assert told["model"] == "first/model-best"
    assert told["weights_sha256"] == before.meta["weights_sha256"]
    assert "starts from first/model-best, on the dev set: NER P" in ended.stdout


def test_a_preset_of_the_users_names_the_model(place: Path) -> None:
    preset = place / "mine/experiment/more.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text("# @package _global_\ninit: {model: first}\n", encoding="utf8")
    same = train(place, "named", "init.model=first", *data("both"))
    ours = train(place, "preset", "--config-dir", "mine", "experiment=more", *data("both"))
    assert ours.code == 0, ours.stderr
    assert ours.summary["weights_sha256"] == same.summary["weights_sha256"]

    preset.write_text("# @package _global_\ninit: {model: '${oc.env:HOME}/first'}\n", encoding="utf8")
    refused = train(place, "refused", "--config-dir", "mine", "experiment=more", *data("both"))
    assert refused.code == 2
    assert "Write its folder, or name it on the command line." in refused.stderr


def test_the_score_before_is_that_of_the_model(place: Path) -> None:
    ended = train(place, "again", "init.model=first", *data("people"), "training.max_epochs=1")
    first = json.loads((place / "first" / "summary.json").read_text("utf8"))["best"]
    assert ended.summary["init"]["score"] == pytest.approx(first["score"], abs=1e-9)


def test_components_that_do_not_learn_keep_every_bit(place: Path) -> None:
    ended = train(place, "frozen", "init.model=first", "training.components=[ner]", *data("both"))
    assert ended.code == 0, ended.stderr
    before, after = runner.load(place / "first"), ended.nlp
    assert weights(before, "tagger") == weights(after, "tagger")
    assert weights(before, "ner") != weights(after, "ner")
    text = "Zoe flew to Oslo ."
    assert before(text).tags == after(text).tags
    assert before(text).confidence["tags"] == after(text).confidence["tags"]
    assert "as they are, and not scored: tagger" in ended.stdout
    assert "tag_acc" not in ended.summary["best"]["scores"]
    assert "Tag %" not in ended.stdout.split("Epoch")[1]


def test_a_component_is_added_and_another_left_out(place: Path) -> None:
    ended = train(
        place, "added", "init.model=first", "pipeline=textcat_bow", "~pipeline.components.ner", *data("more"),
        "pipeline.components.textcat.architecture.rows=256",
    )  # fmt: skip
    assert ended.code == 0, ended.stderr
    assert sorted(ended.nlp.pipe_names) == ["tagger", "textcat"]
    assert {"cats_macro_f", "tag_acc"} <= ended.summary["best"]["scores"].keys()
    alone = train(
        place, "alone", "init.model=first", "pipeline=textcat_bow", *data("more"), "training.components=[textcat]",
        "pipeline.components.textcat.architecture.rows=256",
    )  # fmt: skip
    assert alone.code == 0, alone.stderr
    before = runner.load(place / "first")
    assert weights(before, "ner") == weights(alone.nlp, "ner")
    assert weights(before, "tagger") == weights(alone.nlp, "tagger")


def test_the_same_command_gives_the_same_bits(place: Path) -> None:
    words = ("init.model=first", "training.components=[tagger]", *data("both"))
    one, two = train(place, "one", *words), train(place, "two", *words)
    assert one.summary["weights_sha256"] == two.summary["weights_sha256"]
    assert one.summary["fingerprint"] == two.summary["fingerprint"]


def test_another_model_in_the_same_place_is_another_run(place: Path) -> None:
    train(place, "start", *data("people"), *SMALL)
    one = train(place, "from_start", "init.model=start", *data("both"))
    train(place, "start", *data("people"), *SMALL, "seed=1")
    from runner.tracking import initial

    initial._found.cache_clear()  # another process would not remember
    two = train(place, "from_start2", "init.model=start", *data("both"))
    assert one.summary["fingerprint"] != two.summary["fingerprint"]


def test_a_multirun_starts_all_runs_from_the_model(place: Path) -> None:
    out = io.StringIO()
    with contextlib.chdir(place), contextlib.redirect_stdout(out):
        words = ["-m", *TINY, "init.model=first", "seed=1,2", *data("both"), "hydra.sweep.dir=sweep"]
        assert main(words) == 0, out.getvalue()
    found = [json.loads((place / "sweep" / job / "summary.json").read_text("utf8"))["init"] for job in "01"]
    assert found[0] == found[1]
    assert found[0]["model"] == "first/model-best"


def test_new_rows_begin_beside_what_was_learned(place: Path) -> None:
    from runner.assemble import make_corpus, make_initial, make_learner
    from runner.config.compose import compose
    from runner.launch.initial import with_pipeline_of_model

    with contextlib.chdir(place):
        config = compose(with_pipeline_of_model([*TINY, "init.model=first", *data("both")]))
        corpus = make_corpus(config)
        initial = make_initial(config)
        nlp, sgd, _ = make_learner(config, corpus.train, initial)
        nlp.initialize(lambda: corpus.train, sgd=sgd, start_over=False)
    assert initial is not None
    before = initial.parameters.views(initial.parameters.weights)
    after = nlp.parameters.views(nlp.parameters.weights)
    assert before.keys() == after.keys()
    for path, values in before.items():
        corner = after[path][tuple(slice(n) for n in values.shape)]
        assert np.array_equal(corner, values), path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["init.model=firts"], ["init.model=firts: there is no such model", "did you mean 'first'"]),
        (["init.model=first", "pipeline.lang=de"], ['pipeline.lang: "de" does not fit the model', "Leave the key"]),
        (
            ["init.model=first", "pipeline.components.ner.tok2vec.width=32"],
            ["pipeline.components.ner.tok2vec.width: tok2vec.width of 'ner' is", "Leave it as it is."],
        ),
        (
            ["init.model=first", "training.components=[nre]"],
            ["training.components: there is no component 'nre'", "ner"],
        ),
        (
            ["init.model=first", "pipeline=textcat_bow", "training.components=[ner]"],
            ["'textcat' has never learned", "Add it to the list"],
        ),
        (["-m", "init.model=first,second"], ["init.model: a multirun starts all of its runs from one model"]),
        (["init.model=people.jsonl"], ["init.model=people.jsonl: this is a file"]),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_read(place: Path, words: list[str], told: list[str]) -> None:
    ended = train(place, "refused", *words, "corpus.train=nowhere.jsonl", "corpus.dev=nowhere.jsonl")
    assert ended.code == 2
    message = " ".join(ended.stderr.split())
    for text in told:
        assert text in message
    assert len(ended.stderr.splitlines()) <= 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["tok2vec.width=24"],
            "tok2vec.width=24: width of the token vectors of 'ner' is 16 in the trained model, and cannot",
        ),
        (
            ["tok2vec=large"],
            "tok2vec=large: width of the token vectors of 'ner' is 16 in the trained model, and cannot",
        ),
        (
            ["pipeline.components.ner.tok2vec.width=24"],
            "pipeline.components.ner.tok2vec.width: tok2vec.width of 'ner' is 16 in the trained model, and cannot become 24",
        ),
        (
            ["pipeline.components.ner.hidden_width=8"],
            "pipeline.components.ner.hidden_width: hidden_width of 'ner' is 64 in the trained model, and cannot become 8",
        ),
    ],
)
def test_another_width_is_refused_in_two_lines(place: Path, words: list[str], told: str) -> None:
    ended = train(place, "refused", "init.model=first", *words, "corpus.train=nowhere", "corpus.dev=nowhere")
    assert ended.code == 2
    assert ended.stderr.startswith(told)
    assert len(ended.stderr.splitlines()) == 2


def test_the_width_that_the_model_has_may_be_said_again_and_a_new_component_takes_another(place: Path) -> None:
    assert train(place, "said", "init.model=first", "tok2vec.width=16", *data("people")).code == 0
    words = ("init.model=first", "~pipeline.components.tagger", "~pipeline.components.ner", "pipeline=textcat_cnn")
    ended = train(place, "beside", *words, "tok2vec=small", "tok2vec.width=24", *data("more"))
    assert ended.code == 0, ended.stderr
    assert ended.nlp.blocks["textcat"]["tok2vec"]["width"] == 24


def test_a_model_of_spacy_or_of_a_newer_version_is_refused_in_two_lines(place: Path) -> None:
    spacy = pytest.importorskip("spacy")
    theirs = spacy.blank("en")
    theirs.add_pipe("sentencizer")
    theirs.to_disk(place / "theirs")
    shutil.copytree(place / "first/model-best", place / "newer")
    meta = json.loads((place / "newer/meta.json").read_text("utf8"))
    (place / "newer/meta.json").write_text(json.dumps({**meta, "format": 99}), "utf8")
    for name, told in (("theirs", "this is a model of spaCy"), ("newer", "was written by a newer version of runner")):
        ended = train(place, "refused", f"init.model={name}", "corpus.train=nowhere", "corpus.dev=nowhere")
        assert ended.code == 2
        assert told in ended.stderr.splitlines()[0]
        assert len(ended.stderr.splitlines()) == 2


def test_components_that_share_a_tok2vec_are_not_frozen(place: Path) -> None:
    words = ("pipeline=[ner,tagger]", "pipeline.shared_tok2vec=true", *SMALL, *data("people"))
    assert train(place, "shared", *words, "pipeline.score_weights={}").code == 0
    ended = train(place, "refused", "init.model=shared", "training.components=[ner]", *data("both"))
    assert ended.code == 2
    assert "share a tok2vec" in ended.stderr


def test_a_damaged_model_is_refused(place: Path) -> None:
    assert train(place, "damaged", *data("people"), *SMALL).code == 0
    (place / "damaged/model-best/config.json").write_text("{", "utf8")
    ended = train(place, "refused", "init.model=damaged", *data("both"))
    assert ended.code == 2
    assert "init.model=damaged: the model is damaged, or older than format 4" in ended.stderr
    assert "Train it again." in ended.stderr


def places(place: Path) -> None:
    """Data in which places are annotated and people are not."""
    records = [json.loads(line) for line in (place / "both.jsonl").read_text("utf8").splitlines()]
    for record in records:
        record["entities"] = [tag if tag.endswith("LOC") else "O" for tag in record["entities"]]
        del record["tags"]
    (place / "places.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), "utf8")


@pytest.mark.parametrize("how", ["alone", "partial", "teacher"])
def test_a_new_label_is_learned_from_data_without_the_old_one(place: Path, how: str) -> None:
    places(place)
    words = {
        "alone": [],
        "partial": ["corpus.partial_labels=[LOC]"],
        "teacher": ["teacher=itself"],
    }[how]
    files = ("corpus.train=places.jsonl", "corpus.dev=both.jsonl")
    ended = train(
        place, how, "init.model=first", "~pipeline.components.tagger", *files, *words, "training.max_epochs=12",
        "training.best_epoch=shared",
    )  # fmt: skip
    assert ended.code == 0, ended.stderr
    last = runner.load(place / how / "model-last")
    found = {ent.label for ent in last("Ann went to Rome .").ents}
    assert found == ({"LOC"} if how == "alone" else {"PER", "LOC"})
    if how == "teacher":
        assert "PER of 'ner' do not occur in the training data: the teacher tells them" in ended.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["teacher=itself", "pipeline=ner", *SMALL], "teacher.model: there is no model to learn from"),
        (
            ["teacher=model", "teacher.model=nowhere", "pipeline=ner", *SMALL],
            "teacher.model=nowhere: there is no such model",
        ),
        (["teacher=model", "teacher.model=first", "pipeline=textcat_bow"], "the teacher has none of the components"),
        (
            ["teacher=model", "teacher.model=first", "teacher.weight=2", "pipeline=ner"],
            "teacher.weight: must be from 0 to 1",
        ),
        (["corpus.partial_labels=[LOC]", "pipeline=tagger", *SMALL], "corpus.partial_labels: no component that learns"),
        (
            ["corpus.partial_labels=[PRE]", "pipeline=ner", *SMALL, "corpus.train=people.jsonl"],
            "corpus.partial_labels: the training data never annotate 'PRE'; did you mean 'PER'?",
        ),
    ],
)
def test_a_teacher_that_cannot_teach_is_refused(place: Path, words: list[str], told: str) -> None:
    ended = train(place, "refused", *data("more"), *words)
    assert ended.code == 2
    assert told in " ".join(ended.stderr.split())
    assert len(ended.stderr.splitlines()) <= 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pipeline=textcat_bow"], "the teacher has none of the components"),
        (["pipeline=ner", "pipeline.tokenizer.type=whitespace"], "another tokenizer"),
        (
            ["pipeline=tagger", "+pipeline.components.ner={type: tagger, tok2vec: {type: hash_embed_cnn}}"],
            "'ner' (tagger) cannot learn from the teacher: it is another kind there (ner)",
        ),
    ],
)
def test_a_teacher_that_does_not_fit_is_told_before_the_corpus_is_read(
    place: Path, words: list[str], told: str
) -> None:
    """The corpus could not be read at all; a teacher that fits lets the run get there."""
    nowhere = (
        "teacher=model",
        "teacher.model=first",
        "corpus=files",
        "corpus.train=nowhere.jsonl",
        "corpus.dev=nowhere.jsonl",
    )
    ended = train(place, "refused", *nowhere, *words)
    assert ended.code == 2
    assert told in " ".join(ended.stderr.split())
    assert "nowhere.jsonl" in train(place, "refused", *nowhere, "pipeline=ner").stderr


def test_a_classifier_whose_categories_exclude_each_other_is_no_teacher_of_one_whose_do_not(place: Path) -> None:
    assert train(place, "topics", "pipeline=textcat_bow", *data("more")).code == 0
    word = "pipeline.components.textcat.exclusive=false"
    ended = train(
        place, "refused", "pipeline=textcat_bow", *data("more"), "teacher=model", "teacher.model=topics", word
    )
    assert ended.code == 2
    told = "'textcat' (textcat) cannot learn from the teacher: it is exclusive=true there, false here"
    assert told in " ".join(ended.stderr.split())
    assert (
        train(place, "taught", "pipeline=textcat_bow", *data("more"), "teacher=model", "teacher.model=topics").code == 0
    )


def test_debug_takes_a_label_of_the_model_for_known_though_train_lacks_it(place: Path) -> None:
    (place / "towns.jsonl").write_text((place / "both.jsonl").read_text("utf8").replace("U-PER", "O"), "utf8")
    asked = ["debug", "--json", "corpus.train=towns.jsonl", "corpus.dev=both.jsonl", "teacher=itself"]
    out = io.StringIO()
    with contextlib.chdir(place), contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert main([*asked, "init.model=first", "training.components=[ner]"]) == 0
    told = [finding["message"] for finding in json.loads(out.getvalue())["findings"]]
    assert not [text for text in told if "in dev alone" in text]
