"""The parser learns trees from a teacher: heads and labels as distributions, beside gold annotation or instead of it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import runner
from runner.components.beliefs import Beliefs, class_targets
from runner.components.inputs import Batch
from runner.components.parser import DependencyParser
from runner.components.parser_lessons import TreeBeliefs, soft_arc_loss
from runner.components.pipeline import Pipeline
from runner.components.teacher import Teacher
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.model.biaffine import Arcs, all_head_probabilities, buckets
from runner.model.dropout import Dropout
from runner.model.layout import Layout, Packed
from tests.model.test_parse import check, in_float64

SMALL = {
    "tok2vec": {"type": "hash_embed_cnn", "width": 32, "depth": 1, "word_dropout": 0},
    "rnn_width": 16,
    "tag_loss": 0,
}
WORDS = "the old dog saw a small cat in the garden".split()


def sentences(n: int, seed: int) -> list[Doc]:
    """Det + noun + verb + det + noun, in any words: trees that can be learned, and told from each other."""
    rng = np.random.default_rng(seed)
    nouns, verbs = ["dog", "cat", "bird", "fox", "cow", "owl"], ["saw", "bit", "fed", "met"]
    docs = []
    for _ in range(n):
        words = ["the", rng.choice(nouns), rng.choice(verbs), "a", rng.choice(nouns)]
        heads, deps = [1, 2, 2, 4, 2], ["det", "subj", "root", "det", "obj"]
        if rng.random() < 0.5:
            words, heads, deps = [*words, "today"], [*heads, 2], [*deps, "time"]
        docs.append(Doc([str(word) for word in words], heads=heads, deps=deps))
    return docs


def parser(seed: int = 0, **more: Any) -> Pipeline:
    nlp = runner.blank("en", seed=seed)
    nlp.add_pipe("parser", {**SMALL, **more})
    return nlp


def trained(docs: list[Doc], epochs: int = 20, seed: int = 0, **more: Any) -> Pipeline:
    nlp = parser(seed, **more)
    sgd = nlp.initialize([Example.from_doc(doc) for doc in docs])
    for _ in range(epochs):
        nlp.update([Example.from_doc(doc) for doc in docs], sgd=sgd)
    return nlp


def test_a_student_of_raw_texts_alone_parses_as_its_teacher() -> None:
    """Its only source are the beliefs; a student that has learned nothing agrees on few trees."""
    teacher = trained(sentences(20, 0))
    student = parser(seed=5)
    student.get_pipe("parser").add_labels(teacher.get_pipe("parser").labels)  # type: ignore[attr-defined]
    unseen = sentences(20, 2)

    def agreement() -> float:
        theirs = [teacher(doc.copy_unannotated()) for doc in unseen]
        ours = [student(doc.copy_unannotated()) for doc in unseen]
        pairs = [
            (a.heads[i], a.deps[i]) == (b.heads[i], b.deps[i])
            for a, b in zip(theirs, ours, strict=True)
            for i in range(len(a))
        ]
        return sum(pairs) / len(pairs)

    sgd = student.resume_training()
    before, losses = agreement(), {}
    raw = [Example.from_doc(doc.copy_unannotated()) for doc in sentences(30, 1)]
    for _ in range(25):
        student.update(raw, sgd=sgd, teacher=Teacher(teacher), losses=losses)
    assert before < 0.5
    assert agreement() > 0.95
    assert losses["parser"] == 0


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_gradients_against_finite_differences(weight: float) -> None:
    """Words with gold head and label, with one of them, with none; a label that only the student knows, and one that only the
    teacher knows; two docs of one bucket and one of another, one without annotation.
    """
    layout = Layout([3, 4, 9])
    rng = np.random.default_rng(0)
    component: Any = parser().get_pipe("parser")
    component.add_labels(["a", "b", "new"])
    head = component.head = component.build_head(6, Dropout())
    parameters = in_float64(head)
    docs = [
        Doc(["x"] * 3, heads=[1, 1, 1], deps=["a", "new", None]),
        Doc(["y"] * 4, heads=[None, 0, 3, None], deps=["b", "b", "a", None]),
        Doc(["z"] * 9),
    ]
    examples = [Example.from_doc(doc) for doc in docs]
    X = rng.normal(size=(6, layout.n_tokens))
    gold = component.question(examples).heads
    believed = TreeBeliefs(
        np.where(gold < 0, layout.position // 2, gold),
        all_head_probabilities(Arcs(buckets(layout), [rng.normal(size=(len(b.lengths), b.columns.shape[1], b.columns.shape[1]))
                                                      - 1e9 * ~b.inside[:, None, :] for b in buckets(layout)])),
        rng.dirichlet(np.ones(3), size=layout.n_tokens).T,
    )  # fmt: skip
    beliefs = Beliefs(["b", "theirs", "a"], [believed], weight)
    batch = Batch(docs, layout, np.zeros(layout.n_tokens, dtype="int64"), None, Packed(X, layout))  # type: ignore[arg-type]

    def losses() -> tuple[float, Any]:
        parameters.gradient[:] = 0
        lesson = component.learn_from(batch, examples, beliefs)
        return (lesson.learned + lesson.taught) / layout.n_tokens, lambda: lesson.dX

    check(parameters, X, losses)


def test_heads_of_a_teacher_beside_gold_by_hand() -> None:
    """Two words; the first's gold head is the second, the second's is not known. Scores of 0: a softmax of 1/2 each."""
    arcs = Arcs(buckets(Layout([2])), [np.zeros((1, 2, 2))])
    believed = [np.array([[[0.8, 0.2], [0.1, 0.9]]])]
    learned, taught, (gradient,) = soft_arc_loss(arcs, believed, np.array([1, -1]), 0.25)
    assert gradient[0].tolist() == pytest.approx(np.array([[0.5 - 0.2, 0.5 - 0.8], [0.5 - 0.1, 0.5 - 0.9]]))
    assert learned == pytest.approx(0.75 * np.log(2))  # of the first word's target, three quarters are gold
    assert taught == pytest.approx(1.25 * np.log(2))


def test_labels_that_one_side_alone_knows() -> None:
    """Columns: no gold; gold that both know; gold that the student alone knows; a teacher that is sure of an unknown label."""
    P = np.array([[0.3, 0.3, 0.3, 0.0], [0.5, 0.5, 0.5, 1.0], [0.2, 0.2, 0.2, 0.0]])  # of b, theirs, a
    own = np.full((3, 4), 1 / 3)
    gold = np.array([-1, 0, 2, -1])
    target, share = class_targets(gold, own, Beliefs(["b", "theirs", "a"], P, 0.4), {"a": 0, "b": 1, "new": 2})
    assert share.tolist() == [0, 0.6, 1, 0]
    assert target[:, 0] == pytest.approx([0.4, 0.6, 0])
    assert target[:, 1] == pytest.approx([0.76, 0.24, 0])
    assert target[:, 2] == pytest.approx([0, 0, 1])
    assert target[:, 3] == pytest.approx([1 / 3] * 3)


def test_annotated_and_raw_texts_of_one_batch_have_losses_apart() -> None:
    docs = sentences(6, 0)
    teacher, losses = trained(docs), {}
    nlp = trained(docs, epochs=1)
    mixed = [Example.from_doc(doc if i % 2 else doc.copy_unannotated()) for i, doc in enumerate(docs)]
    nlp.update(mixed, teacher=Teacher(teacher), losses=losses)
    assert losses["parser"] > 0
    assert losses["teach/parser"] > 0


@pytest.mark.parametrize(("limit", "is_gold"), list(product([7, 12, 1000], [True, False])))
def test_texts_that_are_cut_are_learned_in_the_same_pieces_by_both(limit: int, is_gold: bool) -> None:
    """The teacher cuts texts elsewhere when it predicts; its beliefs are of the student's pieces. A teacher that is the student
    itself leaves nothing to learn, whatever the pieces.
    """
    parts = sentences(6, 3)
    lengths = np.cumsum([0, *map(len, parts)])
    heads = [lengths[k] + head for k, doc in enumerate(parts) for head in doc.heads]
    long = Doc(
        [word for doc in parts for word in doc.words], heads=heads, deps=[dep for doc in parts for dep in doc.deps]
    )
    nlp = trained(parts, max_length=limit)
    teacher = trained(parts, max_length=9)
    assert nlp.parameters.weights.tobytes() == teacher.parameters.weights.tobytes()
    before = nlp.parameters.weights.copy()
    example = Example.from_doc(long if is_gold else long.copy_unannotated())
    nlp.update([example], teacher=Teacher(teacher, weight=1.0), sgd=runner.sgd(learn_rate=0.1))
    assert np.abs(nlp.parameters.weights - before).max() < 1e-5


def test_rehearsing_keeps_trees_that_an_update_alone_forgets() -> None:
    """New texts have all heads at the first word. Only with rehearsals the old ones are parsed as before."""
    old, new = sentences(8, 0), Doc(["go", "home", "now"], heads=[0, 0, 0], deps=["root", "obj", "time"])
    right = {}
    for rehearses in (False, True):
        nlp = trained(old, epochs=40)
        sgd = nlp.resume_training()
        for _ in range(30):
            nlp.update([Example.from_doc(new)], sgd=sgd)
            if rehearses:
                nlp.rehearse([doc.copy_unannotated() for doc in old], sgd=sgd)
        scores = nlp.evaluate([Example.from_doc(doc) for doc in old])
        right[rehearses] = scores["dep_las"]
    assert right[True] == 1.0
    assert right[False] < 0.8


def test_the_component_says_that_it_has_lessons() -> None:
    assert parser().get_pipe("parser").has_lessons
    assert isinstance(parser().get_pipe("parser"), DependencyParser)
