"""The parser as its users see it: ten requests learned, new ones understood, odd docs passed through."""

from __future__ import annotations

import numpy as np
import pytest

import runner
from runner.components.storage import weights_sha256
from runner.corpus.doc import Doc
from runner.corpus.example import Example

# (word, head, label) a token: what is looked for is the root's PLACE, what it is like a QUALITY, and so on. `-`: nothing.
REQUESTS = [
    "find/0/ROOT a/2/- cafe/0/PLACE with/5/- great/5/QUALITY wifi/2/ATTRIBUTE",
    "show/0/ROOT me/0/- a/3/- hotel/0/PLACE near/6/- the/6/- beach/3/LOCATION",
    "find/0/ROOT a/3/- cheap/3/QUALITY gym/0/PLACE near/5/- work/3/LOCATION",
    "show/0/ROOT me/0/- the/4/- best/4/QUALITY hotel/0/PLACE in/6/- berlin/4/LOCATION",
    "i/1/- want/1/ROOT a/4/- quiet/4/QUALITY cafe/1/PLACE near/6/- home/4/LOCATION",
    "find/0/ROOT a/2/- restaurant/0/PLACE that/4/- opens/2/- early/2/TIME",
    "show/0/ROOT me/0/- a/3/- gym/0/PLACE with/6/- good/6/QUALITY parking/3/ATTRIBUTE",
    "i/1/- want/1/ROOT a/3/- restaurant/1/PLACE with/6/- fresh/6/QUALITY fish/3/ATTRIBUTE in/8/- london/3/LOCATION",
    "find/0/ROOT a/3/- nice/3/QUALITY bar/0/PLACE in/5/- paris/3/LOCATION that/7/- closes/3/- late/3/TIME",
    "find/0/ROOT a/2/- shop/0/PLACE with/5/- cheap/5/QUALITY bikes/2/ATTRIBUTE near/7/- school/2/LOCATION",
]


def requested(text, **more):
    tokens = [token.split("/") for token in text.split()]
    words, heads, deps = ([token[i] for token in tokens] for i in range(3))
    return Doc(words, heads=[int(head) for head in heads], deps=deps, **more)


def small(**more):
    return {"tok2vec": {"type": "hash_embed_cnn", "width": 48, "depth": 1, "embed_size": 500}, "rnn_width": 32, **more}


def trained(texts, n_iterations=60, seed=0, config=None, **more):
    nlp = runner.blank("en", seed=seed)
    nlp.add_pipe("parser", small(**more) if config is None else config)
    examples = [Example.from_doc(requested(text)) for text in texts]
    sgd = nlp.initialize(lambda: examples)
    order = np.random.default_rng(0)
    for _ in range(n_iterations):
        for at in np.array_split(order.permutation(len(examples)), min(3, len(examples))):
            nlp.update([examples[i] for i in at], drop=0.2, sgd=sgd)
    return nlp, sgd, examples


FAST = {"rnn": "qrnn", "label_width": 96, "maxout_pieces": 1}  # as pipeline=parser_fast


@pytest.fixture(scope="module", params=[{}, FAST], ids=["defaults", "fast"])
def memory(request):
    return trained(REQUESTS, n_iterations=40, config=request.param)


def relations(doc):
    """What a doc says: {label: (words, the word it belongs to)} of its relations."""
    return {
        (label, doc.words[i], doc.words[head])
        for i, (head, label) in enumerate(zip(doc.heads, doc.deps, strict=True))
        if label != "-"
    }


def parsed(nlp, text):
    return relations(nlp(Doc(text.split())))


def test_ten_requests_are_learned_by_heart(memory):
    nlp, _, examples = memory
    scores = nlp.evaluate(examples)
    assert scores["dep_uas"] == scores["dep_las"] == scores["sents_f"] == 1.0
    for example in examples:
        assert relations(example.predicted) == relations(example.reference)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "find a hotel with good wifi",
            {("ROOT", "find", "find"), ("PLACE", "hotel", "find"), ("QUALITY", "good", "wifi"), ("ATTRIBUTE", "wifi", "hotel")},
        ),
        (
            "show me a quiet restaurant in paris",
            {("ROOT", "show", "show"), ("PLACE", "restaurant", "show"), ("QUALITY", "quiet", "restaurant"),
             ("LOCATION", "paris", "restaurant")},
        ),
        (
            "i want a cheap hotel near school",
            {("ROOT", "want", "want"), ("PLACE", "hotel", "want"), ("QUALITY", "cheap", "hotel"),
             ("LOCATION", "school", "hotel")},
        ),
    ],
)  # fmt: skip
def test_new_requests_are_understood(memory, text, expected):
    assert parsed(memory[0], text) == expected


def test_a_model_on_disk_parses_alike(memory, tmp_path):
    nlp, sgd, _ = memory
    with nlp.use_params(sgd.averages):
        nlp.to_disk(tmp_path / "model")
        expected = [parsed(nlp, " ".join(requested(text).words)) for text in REQUESTS]
    loaded = runner.load(tmp_path / "model")
    assert [parsed(loaded, " ".join(requested(text).words)) for text in REQUESTS] == expected


def test_the_same_seed_gives_the_same_bits():
    first = weights_sha256(trained(REQUESTS, 2)[0])
    assert weights_sha256(trained(REQUESTS, 2)[0]) == first
    assert weights_sha256(trained(REQUESTS, 2, seed=1)[0]) != first


def test_trees_of_any_shape_are_learned():
    # Non-projective (hearing ← scheduled across today), two roots, a chain, and a root at the end.
    texts = [
        "A/1/det hearing/3/nsubj is/3/aux scheduled/3/root on/5/case elections/1/nmod today/3/obl",
        "Wait/0/root !/0/punct Who/3/nsubj came/3/root ?/3/punct",
        "one/1/x two/2/x three/3/x four/3/root",
    ]
    nlp, _, examples = trained(texts, 60)
    nlp.predict([example.predicted for example in examples])
    for example in examples:
        assert example.predicted.heads == example.reference.heads
        assert example.predicted.deps == example.reference.deps
    assert [sent.text for sent in examples[1].predicted.sents] == ["Wait !", "Who came ?"]


def test_single_root_is_obeyed():
    nlp, _, _ = trained(
        ["Wait/0/root !/0/punct Who/3/nsubj came/3/root ?/3/punct", "Go/0/root !/0/punct"], 5, single_root=True
    )
    docs = [Doc("Wait ! Who came ? Go !".split()), Doc([]), Doc(["Go"])]
    nlp.predict(docs)
    assert [sum(head == i for i, head in enumerate(doc.heads)) for doc in docs] == [1, 0, 1]


def test_a_new_label_is_learned_and_the_old_ones_are_kept():
    nlp, sgd, examples = trained(REQUESTS)
    before = [relations(nlp(Doc(example.reference.words))) for example in examples]
    assert nlp.get_pipe("parser").add_label("PRICE")
    assert [relations(nlp(Doc(example.reference.words))) for example in examples] == before
    under = Example.from_doc(requested("find/0/ROOT a/2/- hotel/0/PLACE under/4/- 90/2/PRICE"))
    for _ in range(25):
        nlp.update([under, *examples], drop=0.1, sgd=sgd)
    assert ("PRICE", "90", "hotel") in parsed(nlp, "find a hotel under 90")
    gold = [relations(example.reference) for example in examples]
    assert [relations(nlp(Doc(example.reference.words))) for example in examples] == gold


def test_docs_of_no_word_one_word_and_three_thousand_words(memory):
    nlp, sgd, examples = memory
    long = Doc("find a quiet bar in paris ".split() * 500)
    docs = [Doc([]), Doc(["Hotel"]), long]
    nlp.predict(docs)
    assert [len(doc.heads) for doc in docs] == [0, 1, 3000]
    assert docs[1].heads == [0]
    assert docs[0].sent_starts == []
    more = [
        Example.from_dict(Doc([]), {"heads": [], "deps": []}),
        Example.from_dict(Doc(["Go"]), {"heads": [0], "deps": ["ROOT"]}),
    ]
    nlp.update([*more, examples[0]], sgd=sgd)
    reference = Doc(long.words, heads=[i - i % 6 for i in range(3000)], deps=["-"] * 3000)
    nlp.update([Example.from_doc(reference)], sgd=sgd)
    assert np.isfinite(nlp.parameters.weights).all()


def test_what_is_not_annotated_teaches_nothing(memory):
    nlp, sgd, examples = trained(REQUESTS[:3], 1)
    losses = {}
    nlp.update(["find a gym"], [{"cats": {"travel": 1.0}}], sgd=sgd, losses=losses)
    assert losses == {"parser": 0.0}
    partly = Doc(["find", "a", "gym"], heads=[0, None, 0], deps=["ROOT", None, None])
    nlp.update([Example.from_doc(partly), examples[0]], sgd=sgd, losses=losses)
    assert losses["parser"] > 0
    assert np.isfinite(nlp.parameters.weights).all()


def test_a_pipeline_without_labels_still_parses():
    nlp = runner.blank("en")
    nlp.add_pipe("parser", small())
    nlp.initialize()
    doc = nlp(Doc(["a", "b"]))
    assert len(doc.heads) == len(doc.deps) == 2


def test_an_unknown_layer_is_refused_with_those_there_are():
    with pytest.raises(runner.RunnerError, match="rnn is 'gru'; it must be lstm or qrnn"):
        runner.blank("en").add_pipe("parser", small(rnn="gru"))


@pytest.mark.parametrize("key", ["rnn_width", "arc_width", "label_width", "maxout_pieces"])
def test_sizes_that_cannot_be_are_refused(key):
    with pytest.raises(runner.RunnerError, match=f"{key} is 0"):
        runner.blank("en").add_pipe("parser", small(**{key: 0}))
