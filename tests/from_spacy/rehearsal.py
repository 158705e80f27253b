"""Teach a trained recognizer a new type where it alone is annotated, and rehearse the old ones, as with spaCy 2.1."""

import random
import sys
from pathlib import Path

import runner
from runner import compounding, minibatch

LABEL = "BIRD"

# Only the new type is annotated: that Porto is a place, and Mara Lindt a person, nobody says.
TRAIN_DATA = [
    ("A heron stood in the reeds.", {"entities": [(2, 7, LABEL)]}),
    ("An owl slept in the barn.", {"entities": [(3, 6, LABEL)]}),
    ("The owl and the heron left.", {"entities": [(4, 7, LABEL), (16, 21, LABEL)]}),
    ("Have you seen the heron near Porto?", {"entities": [(18, 23, LABEL)]}),
    ("The owl sat above Mara Lindt.", {"entities": [(4, 7, LABEL)]}),
    ("Nobody saw an owl.", {"entities": [(14, 17, LABEL)]}),
]
# Texts of the kind that the model knows, without annotation.
RAW_TEXTS = [
    "Have you met Jonas Falk in Oslo?",
    "Mara Lindt plays the cello.",
    "I grew up between Porto and Vigo.",
    "Nobody called today.",
]


def main(model: str | None = None, output_dir: str | None = None, n_iter: int = 40) -> None:
    random.seed(0)
    nlp = runner.load(model)
    nlp.get_pipe("ner").add_label(LABEL)
    optimizer = nlp.resume_training()
    raw_docs = [nlp.make_doc(text) for text in RAW_TEXTS]

    other_pipes = [pipe for pipe in nlp.pipe_names if pipe != "ner"]
    with nlp.select_pipes(disable=other_pipes):
        sizes = compounding(1.0, 4.0, 1.001)
        for _ in range(n_iter):
            random.shuffle(TRAIN_DATA)
            random.shuffle(raw_docs)
            losses: dict[str, float] = {}
            r_losses: dict[str, float] = {}
            raw_batches = minibatch(raw_docs, size=4)
            for batch in minibatch(TRAIN_DATA, size=sizes):
                texts, annotations = zip(*batch, strict=True)
                nlp.update(texts, annotations, sgd=optimizer, drop=0.2, losses=losses)
                raw_batch = next(raw_batches, None)
                if raw_batch:
                    nlp.rehearse(raw_batch, sgd=optimizer, losses=r_losses)
        print("Losses", losses)
        print("R. Losses", r_losses)

    for text in ("Have you seen the heron?", *RAW_TEXTS):
        print([(ent.text, ent.label_) for ent in nlp(text).ents])

    if output_dir is not None:
        nlp.to_disk(Path(output_dir))
        print("Saved", [ent.text for ent in runner.load(output_dir)("An owl slept.").ents])


if __name__ == "__main__":
    main(*sys.argv[1:])
