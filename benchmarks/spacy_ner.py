"""spaCy with its default settings on the same sentences and gold tokens: same arguments and output as ours_ner.

tok2vec width 96, depth 4, dropout 0.1, Adam 0.001; scored with averaged parameters, which its defaults leave off.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time

import spacy
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.batchers import minibatch_by_words
from spacy.util import fix_random_seed, minibatch
from thinc.api import Adam, compounding

from runner.commands.train import make_corpus
from runner.config.compose import compose


def examples_of(nlp, ours):
    examples = []
    for example in ours:
        doc = example.reference
        reference = Doc(nlp.vocab, words=doc.words)
        reference.ents = [spacy.tokens.Span(reference, ent.start, ent.end, label=ent.label) for ent in doc.ents]
        examples.append(Example(Doc(nlp.vocab, words=doc.words), reference))
    return examples


def main(data: str, epochs: str, batch: str, seed: str, *corpus_overrides: str) -> None:
    os.environ["RUNNER_DATA_MIRROR"] = data
    corpus = make_corpus(compose(["pipeline=ner", *corpus_overrides]))
    fix_random_seed(int(seed))
    rng = random.Random(int(seed))
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    train, dev = examples_of(nlp, corpus.train), examples_of(nlp, corpus.dev)
    nlp.initialize(lambda: train)
    sgd = Adam(0.001, L2=0.01, grad_clip=1.0, L2_is_weight_decay=True, use_averages=True)
    words, best, training, predicting, predicted = 0, 0.0, 0.0, 0.0, 0
    top = 1000.0 if batch == "words" else 16.0
    sizes = compounding(100.0 if batch == "words" else 1.0, top, 1.001)
    for _ in range(int(epochs)):
        rng.shuffle(train)
        started = time.process_time()
        batches = minibatch_by_words(train, size=sizes) if batch == "words" else minibatch(train, size=sizes)
        for examples in batches:
            nlp.update(examples, drop=0.1, sgd=sgd)
        training += time.process_time() - started
        words += sum(len(example.reference) for example in train)
        with nlp.use_params(sgd.averages):
            docs = [Doc(nlp.vocab, words=[token.text for token in example.reference]) for example in dev]
            started = time.process_time()
            for _doc in nlp.pipe(docs):
                pass
            predicting += time.process_time() - started
            predicted += sum(map(len, docs))
            found = [Example(doc, example.reference) for doc, example in zip(docs, dev, strict=True)]
            best = max(best, nlp.get_pipe("ner").score(found)["ents_f"] or 0.0)
    print(
        json.dumps(
            {
                "train_wps": words / training,
                "predict_wps": predicted / predicting,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "best": best,
                "cpu_seconds": time.process_time(),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
