"""Train a classifier of several topics a text in a loop of one's own; score it after each pass; load it again."""

import random

import runner
from runner import compounding, minibatch


def main() -> None:
    random.seed(0)
    nlp = runner.blank("en")
    nlp.add_pipe("textcat", {"exclusive": False, "architecture": {"type": "bag_of_ngrams", "max_order": 1}})
    train = list(runner.read_corpus("topics_train.jsonl", nlp=nlp))
    dev = list(runner.read_corpus("topics_dev.jsonl", nlp=nlp))

    sgd = nlp.initialize(train)  # the labels are those of the examples
    sgd.learn_rate = 0.01
    sizes = compounding(1.0, 8.0, 1.05)
    for epoch in range(1, 11):
        random.shuffle(train)
        for batch in minibatch(train, size=sizes):
            nlp.update(batch, drop=0.2, sgd=sgd)
        if epoch % 5 == 0:
            with nlp.use_params(sgd.averages):
                scores = nlp.evaluate(dev)
            print(f"epoch {epoch}: macro F {scores['cats_macro_f']:.2f}")

    with nlp.use_params(sgd.averages):
        nlp.to_disk("topics_model")
    for doc in runner.load("topics_model").pipe(
        ["The courier was late and rude.", "Soft cloth, and the sleeves fit.", "The zip broke."]
    ):
        found = [label for label, probability in sorted(doc.cats.items()) if probability >= 0.5]
        print(doc.text, found)


if __name__ == "__main__":
    main()
