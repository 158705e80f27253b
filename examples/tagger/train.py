"""Train a tagger with tags of one's own in a loop of one's own, and read the universal tags that a map gives."""

import random

import runner
from runner import compounding, minibatch


def main() -> None:
    random.seed(0)
    nlp = runner.blank("en")
    nlp.add_pipe("tagger", {"tag_map": "tags.yaml"})
    train, dev = runner.read_corpus("train.jsonl"), runner.read_corpus("dev.jsonl")

    sgd = nlp.initialize(train)
    sizes = compounding(1.0, 8.0, 1.05)
    for epoch in range(1, 10):
        random.shuffle(train)
        for batch in minibatch(train, size=sizes):
            nlp.update(batch, drop=0.2, sgd=sgd)
        if epoch % 3 == 0:
            with nlp.use_params(sgd.averages):
                print(f"epoch {epoch}: {nlp.evaluate(dev)['tag_acc']:.2f}")

    with nlp.use_params(sgd.averages):
        nlp.to_disk("garden_model")
    doc = runner.load("garden_model")("They never cut the tall hedge.")
    for token, features in zip(doc, doc.meta["feats"], strict=True):
        print(f"{token.text:6} {token.tag_:3} {token.pos_:6} {features or ''}".rstrip())


if __name__ == "__main__":
    main()
