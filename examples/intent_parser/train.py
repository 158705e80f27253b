"""Train a parser for relations of one's own in a loop of one's own, and turn its trees into commands."""

import random

import runner
from runner import minibatch


def command(doc: runner.Doc) -> dict[str, str]:
    """What is to be done, and each relation of the tree: the room that a device is in stands under the device."""
    return {token.dep_: token.text for token in doc if token.dep_ != "-"}


def main() -> None:
    random.seed(0)
    nlp = runner.blank("en")
    nlp.add_pipe("parser", {"rnn_width": 64, "arc_width": 64, "label_width": 64, "tag_loss": 0, "single_root": True})
    train, dev = runner.read_corpus("train.jsonl"), runner.read_corpus("dev.jsonl")

    sgd = nlp.initialize(train)
    for epoch in range(1, 13):
        random.shuffle(train)
        for batch in minibatch(train, size=4):
            nlp.update(batch, drop=0.2, sgd=sgd)
        if epoch % 4 == 0:
            with nlp.use_params(sgd.averages):
                print(f"epoch {epoch}: LAS {nlp.evaluate(dev)['dep_las']:.2f}")

    with nlp.use_params(sgd.averages):
        nlp.to_disk("home_model")
    nlp = runner.load("home_model")
    doc = nlp("please dim the lamp in the office to 20 percent")
    print([(token.text, token.dep_, token.head.text) for token in doc if token.dep_ != "-"])
    print(command(nlp("could you start the oven at seven")))


if __name__ == "__main__":
    main()
