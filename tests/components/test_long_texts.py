"""Texts too long for the parser to take whole: cut at sentence ends, and the cost grows with the text, not its square."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest

import runner
from runner.components.storage import weights_sha256
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.pieces import sentence_lengths, sentence_starts
from runner.corpus.projective import crossing_arcs
from tests.stress.threads import SAMPLE, SMALL

RECORDS = [json.loads(line) for line in SAMPLE.read_text("utf8").splitlines()[:40]]
N = len(RECORDS)


def gold(records, **annotations):
    """One doc of several sentences."""
    words, heads, deps = [], [], []
    for record in records:
        heads += [head + len(words) for head in record["heads"]]
        words += record["words"]
        deps += record["deps"]
    return Doc(words, heads=heads, deps=deps, source="long.conllu:1", **annotations)


def parser(**settings):
    nlp = runner.blank(tokenizer={"type": "whitespace"})
    nlp.add_pipe("parser", {"tok2vec": SMALL["tok2vec"], **SMALL["parser"], "tag_loss": 0, **settings})
    return nlp


def learned(examples, steps=6, **settings):
    nlp = parser(**settings)
    sgd = nlp.initialize(lambda: examples, sgd=runner.adam(learn_rate=0.01))
    for step in range(steps):
        nlp.update(examples[step * 8 % len(examples) :][:8], drop=0.1, sgd=sgd)
    return nlp


@pytest.fixture(scope="module")
def memory():
    return learned([Example.from_doc(gold([record])) for record in RECORDS], steps=30)


def parsed(nlp, doc, max_length):
    nlp.get_pipe("parser").max_length = max_length
    nlp(doc)
    return doc.heads, doc.deps, doc.sent_starts


def test_a_doc_within_the_limit_is_parsed_whole(memory):
    doc = gold(RECORDS[:10])
    n = len(doc)
    whole = parsed(memory, Doc(doc.words), 10_000)
    assert parsed(memory, Doc(doc.words), n) == whole
    short = [Doc(record["words"]) for record in RECORDS[:5]]
    memory.predict([*short, Doc(doc.words)])
    assert [doc.heads for doc in short] == [parsed(memory, Doc(doc.words), 1000)[0] for doc in short]


def test_a_longer_doc_is_parsed_sentence_by_sentence(memory):
    doc = Doc(gold(RECORDS).words)
    heads, deps, starts = parsed(memory, doc, 60)
    lengths = sentence_lengths(Doc(doc.words), 60)
    assert len(heads) == len(deps) == len(doc) == sum(lengths) > 400
    assert len(lengths) > 30
    begin = 0
    for length in lengths:
        assert all(begin <= head < begin + length for head in heads[begin : begin + length])
        assert starts[begin]
        begin += length
    assert lengths[:2] == [len(record["words"]) for record in RECORDS[:2]]


def test_sentences_of_the_doc_come_before_rules(memory):
    words = ["Ada", "slept", ".", "Bob"] * 10
    given = [i % 8 == 0 for i in range(40)]
    doc = Doc(words, sent_starts=given)
    _, _, starts = parsed(memory, doc, 8)
    assert all(starts[::8])
    assert sentence_starts(Doc(words)) == list(range(3, 40, 4))
    again = parsed(memory, Doc(words), 8)
    assert parsed(memory, Doc(words, heads=list(range(40)), sent_starts=given), 8) == again  # an earlier prediction's


def test_a_text_without_a_sentence_end_is_cut_at_the_limit(memory):
    heads, _, starts = parsed(memory, Doc(["word"] * 250), 100)
    assert all(head // 100 == i // 100 for i, head in enumerate(heads))
    assert all(starts[::100])


def test_the_rules_know_abbreviations_brackets_and_other_scripts():
    def starts(text):
        return sentence_starts(Doc(text.split()))

    assert starts("Dr. No left the U.S. Army . He slept") == [7]
    assert starts('He said : " Go ! " Then he left ?! Yes') == [7, 11]
    assert starts("in the morning. We went home. alone") == [3]
    assert starts("राम सोया । वह जागा ।") == [3]
    assert starts("你好 。 再见 ！") == [2]
    assert starts("Wait ... what ... no") == []


def test_training_cuts_where_no_gold_arc_crosses():
    """A text that is cut teaches what its sentences teach, each seen with its neighbours in the same window."""
    whole = [Example.from_doc(gold(RECORDS[i : i + 8])) for i in range(0, N, 8)]
    longest = max(len(record["words"]) for record in RECORDS)
    short = learned(whole, steps=12, max_length=longest)
    losses: dict[str, float] = {}
    short.update(whole, losses=losses, sgd=runner.sgd(learn_rate=0))
    assert np.isfinite(losses["parser"])
    scores = [learned(whole, steps=steps, max_length=longest).evaluate(whole)["dep_uas"] for steps in (1, 60)]
    assert scores[1] > scores[0] + 0.3


def test_groups_of_pieces_have_the_gradient_of_all_at_once(monkeypatch):
    examples = [Example.from_doc(gold(RECORDS))]

    def weights(words):
        monkeypatch.setattr("runner.components.parser_pieces._WORDS_AT_ONCE", words)
        nlp = parser(max_length=60)
        sgd = nlp.initialize(lambda: examples, sgd=runner.sgd(learn_rate=0.1, grad_clip=0))
        for _ in range(3):
            nlp.update(examples, sgd=sgd)
        return nlp.parameters.weights

    assert np.allclose(weights(100), weights(10_000), atol=1e-5)


def test_a_limit_that_cuts_nothing_changes_no_bit():
    examples = [Example.from_doc(gold(RECORDS[i : i + 4])) for i in range(0, N, 4)]
    longest = max(len(example.reference) for example in examples)
    assert weights_sha256(learned(examples, max_length=longest)) == weights_sha256(learned(examples, max_length=10_000))


def test_a_tree_longer_than_the_limit_is_named_and_the_hint_works():
    tree = Doc(["word"] * 150, heads=[0] * 150, deps=["dep"] * 150, source="long.conllu:7")
    examples = [Example.from_doc(tree)]
    with pytest.raises(runner.RunnerError) as caught:
        learned(examples, max_length=100)
    message = str(caught.value)
    assert message.startswith("long.conllu:7: a tree spans 150 tokens, from 'word word word word word' on")
    assert message.endswith("or set pipeline.components.parser.max_length=150.")
    learned(examples, max_length=150, steps=1)


@pytest.mark.parametrize("max_length", [1, 10_001])
def test_limits_of_the_limit(max_length):
    with pytest.raises(runner.RunnerError, match=f"max_length is {max_length}; it must be from 2 to 10000"):
        parser(max_length=max_length)


def test_a_saved_model_keeps_its_limit(memory, tmp_path):
    nlp = parser(max_length=77)
    nlp.initialize(lambda: [Example.from_doc(gold(RECORDS[:2]))])
    nlp.to_disk(tmp_path / "model")
    assert runner.load(tmp_path / "model").get_pipe("parser").max_length == 77


def test_twenty_thousand_words_at_once(memory):
    """Whole, the scores of their arcs would take 1.6 GB, several times."""
    memory.get_pipe("parser").max_length = 1000
    doc = memory(Doc(gold(RECORDS).words * 45))
    assert len(doc.heads) == len(doc) > 20_000
    assert sum(doc.sent_starts) >= 1800  # sentences


def test_predicting_keeps_no_arrays_of_earlier_layers():
    def peak(depth):
        nlp = runner.blank(tokenizer={"type": "whitespace"})
        nlp.add_pipe("tagger", {"tok2vec": {**SMALL["tok2vec"], "depth": depth}}).add_label("NN")
        doc = Doc(["word", "other"] * 5000)
        nlp(Doc(doc.words[:10]))
        tracemalloc.start()
        nlp(doc)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(depth=8) < 1.2 * peak(depth=2)


def test_a_token_finds_its_entity_without_passing_all_others():
    doc = Doc(["a"] * 1000, ents=[(i, i + 2, f"E{i}") for i in range(0, 1000, 4)])
    assert [token.ent_type_ for token in doc] == [f"E{i - i % 4}" if i % 4 < 2 else "" for i in range(1000)]
    looked_at = []

    class Watched(list):
        def __getitem__(self, i):
            looked_at.append(i)
            return super().__getitem__(i)

        def __iter__(self):
            for i in range(len(self)):
                yield self[i]

    doc._ents = Watched(doc.ents)
    assert doc[999].ent_type_ == ""
    assert len(looked_at) < 20  # of 250


def test_crossing_arcs_are_counted_in_one_pass():
    """Not each root held against each arc, which is the square of the text."""
    n = 40_000
    heads = [i - i % 2 for i in range(n)]  # pairs, each a tree
    heads[1], heads[n - 1] = n - 2, n - 2  # an arc over all other roots
    assert crossing_arcs(heads) == n // 2 - 2


def test_docs_parsed_whole_and_docs_that_are_cut_take_no_part_in_each_other(memory):
    words = gold(RECORDS).words
    docs = [Doc(words[:n]) for n in (30, 100, 7, 61, 60, 200, 0, 1)]  # 100, 61 and 200 are cut
    memory.get_pipe("parser").max_length = 60
    memory.predict(docs)
    alone = [parsed(memory, Doc(doc.words), 60) for doc in docs]
    assert [(doc.heads, doc.deps, doc.sent_starts) for doc in docs] == alone


def test_a_parser_takes_sixteen_long_docs_at_once_and_a_tagger_three_thousand_words(memory):
    nlp = runner.blank(tokenizer={"type": "whitespace"})
    nlp.add_pipe("tagger", {"tok2vec": SMALL["tok2vec"]}).add_label("NN")
    nlp.add_pipe("parser", source=memory)
    seen = {"tagger": [], "parser": []}
    for name, batches in seen.items():
        component = nlp.get_pipe(name)

        def annotate(batch, annotate=component.annotate, batches=batches):
            batches.append([len(doc) for doc in batch.docs])
            annotate(batch)

        component.annotate = annotate
    nlp.predict([Doc(["a"] * n) for n in [500] * 20 + [3500, 200, 300]])
    assert seen["tagger"] == [[500] * 6, [500] * 6, [500] * 4, [500] * 4, [3500], [200, 300]]
    assert seen["parser"] == [[500] * 16, [500] * 4, [3500], [200, 300]]
    seen["parser"].clear()
    nlp.predict([Doc(["a"] * 1300) for _ in range(10)])
    assert seen["parser"] == [[1300] * 9, [1300]]  # no more than 12,000 words
