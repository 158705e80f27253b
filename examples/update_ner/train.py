"""Update a trained recognizer in a loop of one's own, without and with the model's former self as its teacher."""

import random

import runner
from runner import minibatch
from runner.components.teacher import Teacher

OLD = ["Omar Haddad left Lumen Labs in 2016 and moved to Vienna.", "It was cheaper to rent a boat than to swim!"]
NEW = ["landed in graz, all good", "who is driving to turin?"]


def update(teacher: Teacher | None) -> runner.Pipeline:
    """A model that goes on from base/, after eight passes over the messages."""
    random.seed(0)
    nlp = runner.load("base/model-best")
    train = list(runner.read_corpus("train.jsonl", nlp=nlp))
    sgd = nlp.resume_training()
    for _ in range(8):
        random.shuffle(train)
        for batch in minibatch(train, size=4):
            nlp.update(batch, drop=0.3, sgd=sgd, teacher=teacher)
    return nlp


def main() -> None:
    old_dev = list(runner.read_corpus({"bundled": "dev.jsonl"}))
    dev = list(runner.read_corpus("dev.jsonl"))
    base = runner.load("base/model-best")
    for name, nlp in {
        "before": base,
        "messages alone": update(None),
        "with its teacher": update(Teacher(base)),
    }.items():
        print(f"{name}: F old {nlp.evaluate(old_dev)['ents_f']:.2f}, new {nlp.evaluate(dev)['ents_f']:.2f}")
        for doc in nlp.pipe(OLD + NEW):
            print(" ", [(ent.text, ent.label_) for ent in doc.ents])


if __name__ == "__main__":
    main()
