"""The recipe for small data, written out: batches that grow, dropout that falls, one rate, clipping, averaged parameters."""

import random
from itertools import count

import runner
from runner import compounding, decaying, minibatch


def largest_batch(n_examples: int, kind: str) -> float:
    """Where batches stop growing: by component, and smaller for small data."""
    size = {"tagger": 32, "parser": 16, "ner": 16, "textcat": 64}[kind]
    return size / (4 if n_examples < 500 else 2 if n_examples < 1000 else 1)


def main() -> None:
    random.seed(0)
    train = runner.read_corpus({"bundled": "train.jsonl"}, limit=120)
    dev = runner.read_corpus({"bundled": "dev.jsonl"})
    nlp = runner.blank("en")
    nlp.add_pipe("ner")
    sgd = nlp.initialize(train, sgd=runner.adam(learn_rate=0.001, L2=1e-6, grad_clip=1.0))

    sizes = compounding(1.0, largest_batch(len(train), "ner"), 1.01)
    rates = decaying(0.4, 0.2, 1e-3)
    steps = count()
    best = (0.0, 0)
    for epoch in range(1, 9):
        random.shuffle(train)
        largest = 0
        for batch in minibatch(train, size=sizes):
            drop = next(rates)
            nlp.update(batch, drop=drop, sgd=sgd)
            step, largest = next(steps), max(largest, len(batch))
        last = nlp.evaluate(dev)["ents_f"]
        with nlp.use_params(sgd.averages):  # the weights of training come back at the end of the block
            averaged = nlp.evaluate(dev)["ents_f"]
            if averaged > best[0]:
                best = (averaged, epoch)
                nlp.to_disk("best")
        print(
            f"epoch {epoch}, step {step}: batches to {largest}, dropout {drop:.2f}, F {last:.2f}, averaged {averaged:.2f}"
        )
    assert runner.load("best").evaluate(dev)["ents_f"] == best[0]


if __name__ == "__main__":
    main()
