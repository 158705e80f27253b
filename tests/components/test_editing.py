"""Components of a pipeline are added, taken over from another one, renamed and removed; what they have learned stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import runner
from runner.components.pipeline import Pipeline
from runner.components.predictor import TEMPERATURES

ENTITIES = [
    ("Ann lives in Rome .", {"words": "Ann lives in Rome .".split(), "entities": [(0, 3, "PER"), (13, 17, "LOC")]}),
    (
        "Bob left Paris today .",
        {"words": "Bob left Paris today .".split(), "entities": [(0, 3, "PER"), (9, 14, "LOC")]},
    ),
]
TAGS = [
    ("Zebras graze quietly .", {"words": "Zebras graze quietly .".split(), "tags": ["N", "V", "A", "."]}),
    ("Quick foxes jump .", {"words": "Quick foxes jump .".split(), "tags": ["A", "N", "V", "."]}),
]
# Words of either data set, and words of none.
TEXTS = ["Zebras graze in Rome .", "Ann and quick foxes jump quietly .", "Wolves howl at Bob ."]


def trained(
    component: str, data: list[tuple[str, dict[str, object]]], *, seed: int = 0, **settings: object
) -> Pipeline:
    nlp = runner.blank("en", seed=seed)
    nlp.add_pipe(component, {"tok2vec": {"type": "hash_embed_cnn", "width": 32, "depth": 2}, **settings})
    sgd = nlp.initialize(data)
    for _ in range(8):
        nlp.update(*zip(*data, strict=True), sgd=sgd, drop=0.1)
    return nlp


@pytest.fixture(scope="module")
def recognizer() -> Pipeline:
    return trained("ner", ENTITIES)


@pytest.fixture(scope="module")
def tagger() -> Pipeline:
    return trained("tagger", TAGS, seed=1)


def scores_of(nlp: Pipeline, name: str) -> np.ndarray:
    """What the component's tok2vec makes of the texts: (width, n_tokens). It tells more than the best label."""
    from runner.components.inputs import Batch

    nlp._prepare()
    batch = Batch.of([nlp.make_doc(text) for text in TEXTS], nlp.lexemes)
    vectors = nlp.network._read(name, batch, {}).vectors
    assert vectors is not None
    return np.array(vectors.X)


def test_a_component_of_another_pipeline_computes_what_it_computed_there(
    recognizer: Pipeline, tagger: Pipeline, tmp_path: Path
) -> None:
    both = trained("ner", ENTITIES)
    both.add_pipe("tagger", source=tagger, first=True)
    assert both.pipe_names == ["tagger", "ner"]
    for nlp in (both, _kept(both, tmp_path)):
        assert np.array_equal(scores_of(nlp, "tagger"), scores_of(tagger, "tagger"))
        assert np.array_equal(scores_of(nlp, "ner"), scores_of(recognizer, "ner"))
        assert [nlp(text).tags for text in TEXTS] == [tagger(text).tags for text in TEXTS]


def _kept(nlp: Pipeline, folder: Path) -> Pipeline:
    nlp.to_disk(folder / "model")
    return runner.load(folder / "model")


def test_words_that_others_learn_stay_unknown_to_a_disabled_component(tagger: Pipeline) -> None:
    nlp = runner.blank("en")
    nlp.add_pipe("tagger", source=tagger)
    before = scores_of(nlp, "tagger")
    nlp.add_pipe("ner", {"tok2vec": {"type": "hash_embed_cnn", "width": 32, "depth": 2}})
    with nlp.select_pipes(disable="tagger"):
        sgd = nlp.initialize(ENTITIES)
        nlp.update(*zip(*ENTITIES, strict=True), sgd=sgd)
    assert np.array_equal(scores_of(nlp, "tagger"), before)
    # The new component knows its own data's words, as if it had been trained alone, and those alone.
    assert nlp.network.words.of("ner") == trained("ner", ENTITIES).lexemes.frequencies


def test_a_component_that_goes_on_learning_gets_to_know_new_words(tagger: Pipeline) -> None:
    nlp = runner.blank("en")
    nlp.add_pipe("tagger", source=tagger)
    nlp.add_pipe("ner", source=trained("ner", ENTITIES))
    known = len(nlp.network.words.of("tagger"))
    nlp.update(["Wolves howl ."], [{"words": ["Wolves", "howl", "."], "tags": ["N", "V", "."]}])
    assert len(nlp.network.words.of("tagger")) == known + 2


def test_a_renamed_component_predicts_the_same_in_the_same_place(tagger: Pipeline) -> None:
    nlp = runner.blank("en")
    nlp.add_pipe("ner", source=trained("ner", ENTITIES))
    nlp.add_pipe("tagger", source=tagger)
    nlp.meta[TEMPERATURES] = {"ner": 1.5, "tagger": 1.25}
    before = scores_of(nlp, "ner"), [[ent.as_tuple() for ent in nlp(text).ents] for text in TEXTS]
    nlp.rename_pipe("ner", "people")
    assert nlp.pipe_names == ["people", "tagger"]
    assert not nlp.has_pipe("ner")
    assert np.array_equal(scores_of(nlp, "people"), before[0])
    assert [[ent.as_tuple() for ent in nlp(text).ents] for text in TEXTS] == before[1]
    assert nlp.meta[TEMPERATURES] == {"people": 1.5, "tagger": 1.25}
    assert not any(path.startswith("ner/") for path in nlp.parameters.layout)


def test_removing_a_component_leaves_the_others_as_they_were(tagger: Pipeline) -> None:
    nlp = trained("ner", ENTITIES)
    nlp.add_pipe("tagger", source=tagger)
    nlp.meta[TEMPERATURES] = {"ner": 1.5, "tagger": 1.25}
    name, component = nlp.remove_pipe("ner")
    assert (name, component.labels) == ("ner", ["LOC", "PER"])
    assert nlp.pipe_names == ["tagger"]
    assert {path.partition("/")[0] for path in nlp.parameters.layout} == {"tagger"}
    assert np.array_equal(scores_of(nlp, "tagger"), scores_of(tagger, "tagger"))
    assert nlp.meta[TEMPERATURES] == {"tagger": 1.25}
    nlp.update(*zip(*TAGS, strict=True), sgd=nlp.resume_training())
    nlp.add_pipe("ner")
    assert nlp.get_pipe("ner").labels == []


def test_an_optimizer_goes_on_when_a_component_is_removed() -> None:
    nlp = trained("tagger", TAGS)
    nlp.add_pipe("ner", source=trained("ner", ENTITIES))
    sgd = nlp.resume_training()
    nlp.update(*zip(*TAGS, strict=True), sgd=sgd)
    nlp.remove_pipe("ner")
    nlp.update(*zip(*TAGS, strict=True), sgd=sgd)
    assert sgd.averages.keys() == nlp.parameters.layout.keys()


def test_a_component_leaves_a_shared_tok2vec_with_a_copy_of_it() -> None:
    shared = Pipeline("en", shared_tok2vec=True)
    shared.add_pipe("tagger", {"tok2vec": {"type": "hash_embed_cnn", "width": 32, "depth": 2}})
    shared.add_pipe("ner")
    data = [
        ("Ann left .", {"words": ["Ann", "left", "."], "tags": ["N", "V", "."], "entities": [(0, 3, "PER")]}),
        ("Bob came .", {"words": ["Bob", "came", "."], "tags": ["N", "V", "."], "entities": [(0, 3, "PER")]}),
    ]
    shared.update(*zip(*data, strict=True), sgd=shared.initialize(data))
    nlp = runner.blank("en")
    nlp.add_pipe("ner", source=shared)
    assert np.array_equal(scores_of(nlp, "ner"), scores_of(shared, "ner"))
    again = Pipeline("en", shared_tok2vec=True)
    again.add_pipe("tagger", source=shared)
    again.add_pipe("ner", source=shared)
    assert np.array_equal(scores_of(again, "ner"), scores_of(shared, "ner"))
    again.update(*zip(*data, strict=True))
    with pytest.raises(runner.RunnerError, match="reads another tok2vec"):
        again.remove_pipe("ner") and again.add_pipe("ner", source=shared)


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda nlp, other: nlp.add_pipe("parser", source=other), "no component 'parser'"),
        (lambda nlp, other: nlp.add_pipe("ner", source=other), "already has a component 'ner'"),
        (
            lambda nlp, other: nlp.add_pipe(
                "tagger", {"tok2vec": {"type": "hash_embed_cnn", "width": 8}}, source=other
            ),
            "tok2vec[.a-z_]* of 'tagger' is .* cannot become",
        ),
        (lambda nlp, other: runner.blank("de").add_pipe("tagger", source=other), 'with lang "en".*has "de"'),
        (lambda nlp, other: Pipeline(shared_tok2vec=True).add_pipe("tagger", source=other), "a tok2vec of its own"),
        (lambda nlp, other: nlp.rename_pipe("ner", "ner2") or nlp.rename_pipe("ner", "x"), "no component 'ner'"),
        (lambda nlp, other: nlp.add_pipe("tagger") and nlp.rename_pipe("ner2", "tagger"), "already has a component"),
        (lambda nlp, other: nlp.remove_pipe("parser"), "no component 'parser'"),
    ],
)
def test_what_does_not_fit_is_refused(make: object, fact: str, tagger: Pipeline) -> None:
    nlp = runner.blank("en")
    nlp.add_pipe("ner")
    if "ner2" in fact or fact == "already has a component":
        nlp.rename_pipe("ner", "ner2")
    with pytest.raises(runner.RunnerError, match=fact):
        make(nlp, tagger)  # type: ignore[operator]


def test_a_model_is_loaded_without_some_components(tagger: Pipeline, tmp_path: Path) -> None:
    both = trained("ner", ENTITIES)
    both.add_pipe("tagger", source=tagger)
    both.to_disk(tmp_path / "both")
    assert runner.load(tmp_path / "both", exclude="ner").pipe_names == ["tagger"]
    nlp = runner.load(tmp_path / "both", disable=["tagger"])
    assert nlp.pipe_names == ["ner"]
    assert nlp("Zebras graze .").tags is None
    nlp.selections[0].restore()
    assert nlp("Zebras graze .").tags == tagger("Zebras graze .").tags
    with pytest.raises(runner.RunnerError, match="no component 'parser'"):
        runner.load(tmp_path / "both", exclude="parser")
