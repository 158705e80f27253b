"""Teach a trained recognizer a new type of entity, with old examples mixed in, as with spaCy 2.1."""

import random
import sys
from pathlib import Path

import runner
from runner import compounding, minibatch

LABEL = "BIRD"

# Examples of the new type, and of the old ones, so that these are not forgotten.
TRAIN_DATA = [
    ("A heron stood in the reeds.", {"entities": [(2, 7, LABEL)]}),
    ("Have you seen the heron near Porto?", {"entities": [(18, 23, LABEL), (29, 34, "LOC")]}),
    ("An owl slept above Mara Lindt.", {"entities": [(3, 6, LABEL), (19, 29, "PERSON")]}),
    ("The owl and the heron left.", {"entities": [(4, 7, LABEL), (16, 21, LABEL)]}),
    ("I grew up between Porto and Vigo.", {"entities": [(18, 23, "LOC"), (28, 32, "LOC")]}),
    ("Nobody called today.", {"entities": []}),
]


def main(model: str | None = None, output_dir: str | None = None, n_iter: int = 40) -> None:
    random.seed(0)
    nlp = runner.load(model) if model is not None else runner.blank("en")
    if "ner" not in nlp.pipe_names:
        ner = nlp.add_pipe("ner")
    else:
        ner = nlp.get_pipe("ner")
    ner.add_label(LABEL)
    optimizer = nlp.initialize() if model is None else nlp.resume_training()
    labels = list(ner.labels)

    other_pipes = [pipe for pipe in nlp.pipe_names if pipe != "ner"]
    with nlp.select_pipes(disable=other_pipes):
        sizes = compounding(1.0, 4.0, 1.001)
        for _ in range(n_iter):
            random.shuffle(TRAIN_DATA)
            losses: dict[str, float] = {}
            for batch in minibatch(TRAIN_DATA, size=sizes):
                texts, annotations = zip(*batch, strict=True)
                nlp.update(texts, annotations, sgd=optimizer, drop=0.35, losses=losses)
        print("Losses", losses)

    doc = nlp("Have you seen the heron near Porto?")
    for ent in doc.ents:
        print(ent.label_, ent.text)

    if output_dir is not None:
        nlp.meta["name"] = "birds"
        nlp.to_disk(Path(output_dir))
        nlp2 = runner.load(output_dir)
        print("Labels", labels, nlp2.get_pipe("ner").labels)
        for ent in nlp2(doc.text).ents:
            print("Saved", ent.label_, ent.text)


if __name__ == "__main__":
    main(*sys.argv[1:])
