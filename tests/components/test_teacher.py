"""A student learns from what a teacher believes: where the data are silent alone, where they are not beside them."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest

import runner
from runner.components import beliefs
from runner.components.base import Component
from runner.components.beliefs import Beliefs
from runner.components.pipeline import Pipeline
from runner.components.tagger import Tagger
from runner.components.teacher import Memory, Teacher
from runner.model import crf

SMALL = {"tok2vec": {"type": "hash_embed_cnn", "width": 32, "depth": 2, "word_dropout": 0}}
WORDS = ["Ann", "saw", "Rome", "."]
DATA: dict[str, list[dict[str, Any]]] = {
    "ner": [
        {"words": WORDS, "entities": ["U-PER", "O", "O", "O"]},
        {"words": WORDS[::-1], "entities": ["O", "O", "O", "U-PER"]},
    ],
    "tagger": [{"words": WORDS, "tags": ["N", "V", "N", "."]}, {"words": WORDS[::-1], "tags": [".", "N", "V", "N"]}],
    "parser": [
        {"words": WORDS, "heads": [1, 1, 1, 1], "deps": ["subj", "root", "obj", "punct"]},
        {"words": WORDS[::-1], "heads": [2, 2, 2, 2], "deps": ["punct", "obj", "root", "subj"]},
    ],
    "textcat": [{"words": WORDS, "cats": {"A": 1.0, "B": 0.0}}, {"words": WORDS[::-1], "cats": {"A": 0.0, "B": 1.0}}],
}
KINDS = {
    "ner": {},
    "tagger": {},
    "parser": {"rnn_width": 16},
    "textcat": {},
    "several": {"type": "textcat", "exclusive": False},
}


def data(kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [(" ".join(one["words"]), one) for one in DATA["textcat" if kind == "several" else kind]]


def trained(kind: str, *, seed: int = 0, epochs: int = 10) -> Pipeline:
    nlp = runner.blank("en", seed=seed)
    nlp.add_pipe(kind, {**SMALL, **KINDS[kind]})
    sgd = nlp.initialize(data(kind))
    for _ in range(epochs):
        nlp.update(*zip(*data(kind), strict=True), sgd=sgd)
    return nlp


def believed(nlp: Pipeline, kind: str) -> np.ndarray:
    docs = [runner.Doc(one["words"]) for _, one in data(kind)]
    P = nlp.network.beliefs(docs, kind)[1]
    if kind == "parser":  # the two texts are one bucket of one group
        (trees,) = P
        return np.concatenate([trees.arcs[0].ravel(), trees.labels.ravel()])
    return P


RAW = (["Ann saw Rome .", ". Rome saw Ann"], [{}, {}])


@pytest.mark.parametrize("kind", KINDS)
def test_who_knows_it_all_learns_nothing_more_from_texts_alone(kind: str) -> None:
    """The gradient is the difference of the two beliefs, which is 0 where they are the same."""
    nlp = trained(kind)
    before = nlp.parameters.weights.copy()
    nlp.update(*RAW, teacher=Teacher(trained(kind)), sgd=runner.sgd(learn_rate=0.1))  # Adam scales any gradient up
    # An ensemble's parts each learn the whole (classifiers.py): their sum stays about what it is, and they move a little.
    most = 0.05 if kind in ("textcat", "several") else 1e-5
    assert np.abs(nlp.parameters.weights - before).max() < most
    assert believed(nlp, kind) == pytest.approx(believed(trained(kind), kind), abs=most)


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_comes_to_believe_what_its_teacher_believes(kind: str) -> None:
    teacher = trained(kind)
    student = trained(kind, seed=5, epochs=0)
    for label in teacher.get_pipe(kind).labels:
        student.get_pipe(kind).add_label(label)
    losses: list[float] = []
    sgd = student.resume_training()
    for _ in range(60):
        found: dict[str, float] = {}
        student.update(*RAW, sgd=sgd, losses=found, teacher=Teacher(teacher))
        losses.append(found[f"teach/{kind}"])
        assert found[kind] == pytest.approx(0.0)
    assert losses[-1] < losses[0]
    assert believed(student, kind) == pytest.approx(believed(teacher, kind), abs=0.1)


def component(labels: list[str], partial: list[str] = ()) -> Any:  # type: ignore[assignment]
    nlp = runner.blank("en")
    ner: Any = nlp.add_pipe("ner", SMALL)
    ner.add_labels(labels)
    ner.partial_labels = frozenset(partial)
    return ner


def column(labels: list[str], **masses: float) -> np.ndarray:
    """A token's states; U_X=0.3 is the mass of U-X, the rest is O."""
    rows = {label: i for i, label in enumerate(labels)}
    out = np.zeros(crf.n_states(len(labels)))
    for tag, mass in masses.items():
        out[crf.state_of(tag.replace("_", "-"), rows)] = mass
    out[0] += 1 - out.sum()
    return out


def test_of_words_in_no_annotated_entity_the_teacher_tells_its_own_labels() -> None:
    ner = component(["PER", "LOC"], ["LOC"])
    beliefs = Beliefs(["PER"], np.stack([column(["PER"], U_PER=0.7)], axis=1), 0.5)
    own = np.stack([column(["PER", "LOC"], U_PER=0.2, U_LOC=0.5)], axis=1)
    target = ner._target(np.array([crf.OTHER]), own, beliefs)
    assert target[:, 0] == pytest.approx(column(["PER", "LOC"], U_PER=0.7))


def test_what_the_data_annotate_is_not_the_teachers_to_say() -> None:
    ner = component(["PER", "LOC"], ["LOC"])
    theirs = column(["PER", "LOC"], U_PER=0.1, U_LOC=0.6)
    target = ner._target(np.array([crf.OTHER]), np.ones((9, 1)) / 9, Beliefs(["PER", "LOC"], theirs[:, None], 0.5))
    assert target[:, 0] == pytest.approx(column(["PER", "LOC"], U_PER=0.1))


def test_without_annotation_none_of_them_may_be_a_label_that_the_teacher_does_not_know() -> None:
    ner = component(["PER", "LOC"])
    beliefs = Beliefs(["PER"], column(["PER"], U_PER=0.4)[:, None], 0.5)
    own = column(["PER", "LOC"], U_PER=0.2, U_LOC=0.6)[:, None]  # O has 0.2: the rest is shared 1 to 3
    target = ner._target(np.array([crf.UNKNOWN]), own, beliefs)
    assert target[:, 0] == pytest.approx(column(["PER", "LOC"], U_PER=0.4, U_LOC=0.45))


def test_annotation_and_belief_are_mixed_by_weight_where_the_teacher_knows_the_label() -> None:
    ner = component(["PER", "LOC"])
    rows = {"PER": 0, "LOC": 1}
    gold = np.array([crf.state_of("U-PER", rows), crf.state_of("U-LOC", rows)])
    P = np.stack([column(["PER"], U_PER=0.5), column(["PER"], U_PER=0.5)], axis=1)
    target = ner._target(gold, np.ones((9, 2)) / 9, Beliefs(["PER"], P, 0.25))
    assert target[:, 0] == pytest.approx(column(["PER", "LOC"], U_PER=0.75 + 0.125))
    assert target[:, 1] == pytest.approx(column(["PER", "LOC"], U_LOC=1.0))


def test_an_old_label_is_kept_while_a_new_one_is_learned() -> None:
    old = trained("ner")
    new = [("Ann saw Rome .", {"words": WORDS, "entities": ["O", "O", "U-LOC", "O"]})]
    found = {}
    for teacher in (None, Teacher(trained("ner"))):
        nlp = trained("ner")
        ner: Any = nlp.get_pipe("ner")
        sgd = nlp.initialize(new, start_over=False)
        ner.partial_labels = frozenset(["LOC"]) if teacher else frozenset()
        for _ in range(30):
            nlp.update(*zip(*new, strict=True), sgd=sgd, teacher=teacher)
        found[teacher is not None] = [(ent.text, ent.label) for ent in nlp("Ann saw Rome .").ents]
    assert [(ent.text, ent.label) for ent in old("Ann saw Rome .").ents] == [("Ann", "PER")]
    assert found[False] == [("Rome", "LOC")]
    assert found[True] == [("Ann", "PER"), ("Rome", "LOC")]


def test_a_weight_outside_its_range_and_a_component_without_lessons_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(runner.RunnerError, match="from 0 to 1"):
        Teacher(trained("ner"), 1.5)
    monkeypatch.setattr(Tagger, "beliefs", Component.beliefs)
    nlp = trained("tagger")
    assert not nlp.get_pipe("tagger").has_lessons
    with pytest.raises(runner.RunnerError, match="cannot teach"):
        nlp.update(*RAW, teacher=Teacher(nlp))


@pytest.mark.parametrize("kind", KINDS)
def test_losses_against_the_data_and_against_the_teacher_stand_apart(kind: str) -> None:
    """At weight 0 annotated texts have no loss against the teacher, at weight 1 none against the data. Both are linear in it."""
    found = {}
    for weight in (0.0, 0.25, 1.0):
        nlp, losses = trained(kind, epochs=1), {}
        nlp.update(*zip(*data(kind), strict=True), losses=losses, teacher=Teacher(trained(kind), weight))
        found[weight] = losses[kind], losses[f"teach/{kind}"]
    assert found[0.0][1] == pytest.approx(0, abs=1e-5)
    assert found[1.0][0] == pytest.approx(0, abs=1e-5)
    assert found[0.25] == pytest.approx((0.75 * found[0.0][0], 0.25 * found[1.0][1]), rel=1e-4)
    assert found[0.25][0] > 0 < found[0.25][1]


def test_rehearsing_keeps_what_an_update_alone_forgets() -> None:
    """The recipe of spaCy's rehearse: updates on new texts, steps on old ones in between."""
    new = ("Rome left .", {"words": ["Rome", "left", "."], "entities": ["U-LOC", "O", "O"]})
    found = {}
    for rehearses in (False, True):
        nlp = trained("ner")
        sgd = nlp.resume_training()
        losses: dict[str, float] = {}
        for _ in range(30):
            nlp.update([new[0]], [new[1]], sgd=sgd)
            if rehearses:
                silent = runner.Example.from_dict(nlp.make_doc(". Rome saw Ann"), {"entities": []})  # is not believed
                nlp.rehearse(["Ann saw Rome .", silent], sgd=sgd, losses=losses)
        found[rehearses] = nlp("Ann saw Rome .").ents, losses
    assert [ent.label for ent in found[True][0] if ent.text == "Ann"] == ["PER"]
    assert found[True][1].keys() == {"ner", "teach/ner"}


def test_a_pipeline_that_has_learned_nothing_has_nothing_to_rehearse() -> None:
    nlp = runner.blank("en")
    nlp.add_pipe("ner")
    nlp.resume_training()
    with pytest.raises(runner.RunnerError, match="nothing to rehearse"):
        nlp.rehearse("Ann saw Rome .")


def test_docstrings() -> None:
    assert doctest.testmod(beliefs).failed == 0


@pytest.mark.parametrize("kind", ["ner", "tagger", "textcat"])
def test_a_teacher_that_keeps_its_beliefs_asks_each_text_once_and_alone(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nlp = trained(kind)
    docs = [runner.Doc(WORDS), runner.Doc(["Rome"]), runner.Doc(WORDS[::-1])]
    alone = np.concatenate([nlp.network.beliefs([doc], kind)[1] for doc in docs], axis=1)
    asked: list[int] = []
    ask = nlp.network.beliefs
    monkeypatch.setattr(nlp.network, "beliefs", lambda some, *rest: (asked.append(len(some)), ask(some, *rest))[1])
    teacher = Teacher(nlp, memory=Memory())
    for order in ([0, 1, 2], [2, 0], [1]):
        found = teacher.beliefs(kind, [docs[i] for i in order])
        columns = [0, 1, 2] if kind == "textcat" else [range(4), range(4, 5), range(5, 9)]
        wanted = np.concatenate([np.atleast_1d(np.array(columns[i])) for i in order])
        assert np.array_equal(found.P, alone[:, wanted])
        assert list(found.labels) == nlp.components[kind].labels
    assert asked == [1, 1, 1]


def test_texts_beyond_the_memory_are_asked_again_with_the_same_bits() -> None:
    nlp = trained("tagger")
    docs = [runner.Doc(WORDS), runner.Doc(WORDS[::-1])]
    small, large = Teacher(nlp, memory=Memory(most_bytes=1)), Teacher(nlp, memory=Memory())
    for _ in range(2):
        assert np.array_equal(
            small.beliefs("tagger", docs).P, large.beliefs("tagger", docs[::-1]).P[:, [4, 5, 6, 7, 0, 1, 2, 3]]
        )


def test_a_parser_asks_anew_about_each_batch() -> None:
    nlp = trained("parser")
    losses: dict[str, float] = {}
    nlp.update(*RAW, teacher=Teacher(trained("parser", seed=1), memory=Memory()), losses=losses)
    assert losses["teach/parser"] > 0
