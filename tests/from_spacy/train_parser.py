"""Train a dependency parser from a blank pipeline, as with spaCy 2.1."""

import random
import sys
from pathlib import Path

import runner
from runner import compounding, minibatch

TRAIN_DATA = [
    (
        "They sell old maps in Porto.",
        {
            "heads": [1, 1, 3, 1, 5, 1, 1],
            "deps": ["nsubj", "ROOT", "amod", "dobj", "case", "obl", "punct"],
        },
    ),
    (
        "I like rain and wind.",
        {
            "heads": [1, 1, 1, 4, 2, 1],
            "deps": ["nsubj", "ROOT", "dobj", "cc", "conj", "punct"],
        },
    ),
]


def main(model: str | None = None, output_dir: str | None = None, n_iter: int = 30) -> None:
    nlp = runner.load(model) if model is not None else runner.blank("en")
    if "parser" not in nlp.pipe_names:
        parser = nlp.add_pipe("parser", first=True)
    else:
        parser = nlp.get_pipe("parser")
    for _, annotations in TRAIN_DATA:
        for dep in annotations.get("deps", []):
            parser.add_label(dep)

    other_pipes = [pipe for pipe in nlp.pipe_names if pipe != "parser"]
    with nlp.select_pipes(disable=other_pipes):
        optimizer = nlp.initialize()
        for _ in range(n_iter):
            random.shuffle(TRAIN_DATA)
            losses: dict[str, float] = {}
            for batch in minibatch(TRAIN_DATA, size=compounding(4.0, 32.0, 1.001)):
                texts, annotations = zip(*batch, strict=True)
                nlp.update(texts, annotations, sgd=optimizer, losses=losses)
        print("Losses", losses)

    doc = nlp("I like old maps.")
    print("Dependencies", [(t.text, t.dep_, t.head.text) for t in doc])
    for root in (token for token in doc if token.head == token):
        print("Children", [child.text for child in root.children])

    if output_dir is not None:
        nlp.to_disk(Path(output_dir))
        doc = runner.load(output_dir)("I like rain and wind.")
        print("Saved", [(t.text, t.dep_, t.head.text) for t in doc])


if __name__ == "__main__":
    main(*sys.argv[1:])
