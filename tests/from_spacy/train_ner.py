"""Train an entity recognizer from a blank pipeline, or go on with a saved one, as with spaCy 2.1."""

import random
import sys
from pathlib import Path

import runner
from runner import compounding, minibatch

TRAIN_DATA = [
    ("Where does Mara Lindt live?", {"entities": [(11, 21, "PERSON")]}),
    ("I grew up between Porto and Vigo.", {"entities": [(18, 23, "LOC"), (28, 32, "LOC")]}),
    ("Tell Jonas Falk that Oslo called.", {"entities": [(5, 15, "PERSON"), (21, 25, "LOC")]}),
    ("Nobody called today.", {"entities": []}),
]


def main(model: str | None = None, output_dir: str | None = None, n_iter: int = 40) -> None:
    if model is not None:
        nlp = runner.load(model)
        print(f"Loaded model '{model}'")
    else:
        nlp = runner.blank("en")
        print("Created blank 'en' model")
    if "ner" not in nlp.pipe_names:
        ner = nlp.add_pipe("ner", last=True)
    else:
        ner = nlp.get_pipe("ner")
    for _, annotations in TRAIN_DATA:
        for ent in annotations.get("entities"):
            ner.add_label(ent[2])

    other_pipes = [pipe for pipe in nlp.pipe_names if pipe != "ner"]
    with nlp.select_pipes(disable=other_pipes):  # train the recognizer alone
        if model is None:
            nlp.initialize()
        for _ in range(n_iter):
            random.shuffle(TRAIN_DATA)
            losses: dict[str, float] = {}
            for batch in minibatch(TRAIN_DATA, size=compounding(4.0, 32.0, 1.001)):
                texts, annotations = zip(*batch, strict=True)
                nlp.update(texts, annotations, drop=0.2, losses=losses)
        print("Losses", losses)

    for text, _ in TRAIN_DATA:
        doc = nlp(text)
        print("Entities", [(ent.text, ent.label_) for ent in doc.ents])
        print("Tokens", [(t.text, t.ent_type_, t.ent_iob_) for t in doc])

    if output_dir is not None:
        nlp.to_disk(Path(output_dir))
        nlp2 = runner.load(output_dir)
        for text, _ in TRAIN_DATA:
            print("Saved", [(ent.text, ent.label_) for ent in nlp2(text).ents])


if __name__ == "__main__":
    main(*sys.argv[1:])
