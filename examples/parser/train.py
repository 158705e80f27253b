"""Train a parser in a loop of one's own; then teach it one more relation, from where it stands."""

import random

import runner
from runner import minibatch

TEXT = "The young helper sold bread and cakes at the door."
# A relation that no tree of train.jsonl has: what a person is called to, in front of the sentence.
CALLS = [
    {"words": ["Sister", ",", "cut", "the", "bread", "."], "heads": [2, 2, 2, 4, 2, 2],
     "deps": ["vocative", "punct", "root", "det", "obj", "punct"]},
    {"words": ["Father", ",", "open", "the", "door", "."], "heads": [2, 2, 2, 4, 2, 2],
     "deps": ["vocative", "punct", "root", "det", "obj", "punct"]},
    {"words": ["Boy", ",", "wash", "the", "bowls", "slowly", "."], "heads": [2, 2, 2, 4, 2, 2, 2],
     "deps": ["vocative", "punct", "root", "det", "obj", "advmod", "punct"]},
]  # fmt: skip


def passes(nlp, examples, sgd, n):
    """Update with all examples n times, shuffled, four at a time."""
    for _ in range(n):
        random.shuffle(examples)
        for batch in minibatch(examples, size=4):
            nlp.update(batch, drop=0.2, sgd=sgd)


def main() -> None:
    random.seed(0)
    nlp = runner.blank("en")
    nlp.add_pipe("parser", {"rnn_width": 64, "arc_width": 64, "tag_loss": 0, "single_root": True})
    train, dev = runner.read_corpus("train.jsonl"), runner.read_corpus("dev.jsonl")
    sgd = nlp.initialize(train)
    for epoch in (10, 20, 30):
        passes(nlp, train, sgd, 10)
        with nlp.use_params(sgd.averages):
            scores = nlp.evaluate(dev)
        print(f"epoch {epoch}: UAS {scores['dep_uas']:.2f}, LAS {scores['dep_las']:.2f}")
    with nlp.use_params(sgd.averages):
        nlp.to_disk("bakery_model")

    nlp = runner.load("bakery_model")
    print([(token.text, token.dep_, token.head.text) for token in nlp(TEXT)])

    nlp.get_pipe("parser").add_label("vocative")
    calls = [runner.Example.from_doc(runner.Doc(**call)) for call in CALLS]
    passes(nlp, train + calls * 3, nlp.resume_training(), 5)
    print([(token.text, token.dep_) for token in nlp("Girls , bake the rolls .")])


if __name__ == "__main__":
    main()
