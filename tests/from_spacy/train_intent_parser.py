"""Train the parser on trees of meaning instead of syntax: what is asked for, and of which quality, as with spaCy 2.1."""

import random
import sys
from pathlib import Path

import runner
from runner import compounding, minibatch

# "-" is a label for words that carry nothing.
TRAIN_DATA = [
    (
        "find a bakery with fresh rye",
        {"heads": [0, 2, 0, 5, 5, 2], "deps": ["ROOT", "-", "PLACE", "-", "QUALITY", "ATTRIBUTE"]},
    ),
    (
        "find a garage open on sundays",
        {"heads": [0, 2, 0, 2, 5, 2], "deps": ["ROOT", "-", "PLACE", "ATTRIBUTE", "-", "TIME"]},
    ),
    (
        "show me the cheapest tailor",
        {"heads": [0, 0, 4, 4, 0], "deps": ["ROOT", "-", "-", "QUALITY", "PLACE"]},
    ),
    (
        "show me the best inn in porto",
        {"heads": [0, 0, 4, 4, 0, 6, 4], "deps": ["ROOT", "-", "-", "QUALITY", "PLACE", "-", "LOCATION"]},
    ),
]


def main(model: str | None = None, output_dir: str | None = None, n_iter: int = 40) -> None:
    nlp = runner.load(model) if model is not None else runner.blank("en")
    if "parser" in nlp.pipe_names:
        nlp.remove_pipe("parser")  # it knows syntax
    parser = nlp.add_pipe("parser", first=True)
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

    test_model(nlp)
    if output_dir is not None:
        nlp.to_disk(Path(output_dir))
        test_model(runner.load(output_dir))


def test_model(nlp: runner.Pipeline) -> None:
    texts = ["find a bakery with fresh rye", "show me the best tailor"]
    for doc in nlp.pipe(texts):
        print(doc.text)
        print([(t.text, t.dep_, t.head.text) for t in doc if t.dep_ != "-"])


if __name__ == "__main__":
    main(*sys.argv[1:])
