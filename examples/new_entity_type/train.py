"""Add a type of entity in a loop of one's own, with texts that the trained model has annotated mixed in."""

import random
from pathlib import Path

import runner
from runner import minibatch

LABEL = "DISH"
Annotated = list[tuple[str, dict[str, list[tuple[int, int, str]]]]]


def annotated_by(nlp: runner.Pipeline, texts: list[str], sure: float = 0.8) -> Annotated:
    """The texts in which the model is sure of every entity, as training examples."""
    docs = nlp.pipe(texts, confidence=True)
    return [as_example(doc) for doc in docs if all(ent.confidence >= sure for ent in doc.ents)]


def as_example(doc: runner.Doc) -> tuple[str, dict[str, list[tuple[int, int, str]]]]:
    return doc.text, {"entities": [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]}


def updated(old: Annotated) -> runner.Pipeline:
    """A model that goes on from base/, after ten passes over the new examples and those of the old types."""
    random.seed(0)
    nlp = runner.load("base/model-best")
    nlp.get_pipe("ner").add_label(LABEL)
    examples = [as_example(eg.reference) for eg in runner.read_corpus("train.jsonl", nlp=nlp)] + old
    sgd = nlp.resume_training()
    sgd.learn_rate = 0.001
    for _ in range(10):
        random.shuffle(examples)
        for batch in minibatch(examples, size=4):
            texts, annotations = zip(*batch, strict=True)
            nlp.update(texts, annotations, drop=0.3, sgd=sgd)
    return nlp


def main() -> None:
    base = runner.load("base/model-best")
    old = annotated_by(base, Path("raw.txt").read_text(encoding="utf8").splitlines())
    old_dev, dev = runner.read_corpus({"bundled": "dev.jsonl"}), runner.read_corpus("dev.jsonl")
    for name, nlp in {"before": base, "new texts alone": updated([]), "old and new": updated(old)}.items():
        print(f"{name}: F old {nlp.evaluate(old_dev)['ents_f']:.2f}, new {nlp.evaluate(dev)['ents_f']:.2f}")
        for doc in nlp.pipe(["Tomas Berg brought a pot of curry.", "Nobody wanted the moussaka."]):
            print(" ", [(ent.text, ent.label_) for ent in doc.ents])


if __name__ == "__main__":
    main()
