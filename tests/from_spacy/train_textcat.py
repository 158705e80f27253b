"""Train a text classifier and score it after each pass over the data, as with spaCy 2.1."""

import random
import sys
from pathlib import Path

import runner
from runner import compounding, minibatch

GOOD = ["lovely", "moving", "clever", "funny", "warm"]
BAD = ["dull", "clumsy", "boring", "noisy", "flat"]
THINGS = ["film", "story", "cast", "ending", "score", "plot"]


def load_data(split: float = 0.8) -> tuple[tuple[list, list], tuple[list, list]]:
    """Texts and their categories, shuffled and split into two parts."""
    data = [(f"A {word} {thing} .", word in GOOD) for word in GOOD + BAD for thing in THINGS]
    random.Random(0).shuffle(data)
    texts, labels = zip(*data, strict=True)
    cats = [{"POSITIVE": bool(y), "NEGATIVE": not bool(y)} for y in labels]
    cut = int(len(data) * split)
    return (list(texts[:cut]), cats[:cut]), (list(texts[cut:]), cats[cut:])


def main(model: str | None = None, output_dir: str | None = None, n_iter: int = 8) -> None:
    nlp = runner.load(model) if model is not None else runner.blank("en")
    if "textcat" not in nlp.pipe_names:
        textcat = nlp.add_pipe("textcat", {"exclusive": True}, last=True)
    else:
        textcat = nlp.get_pipe("textcat")
    textcat.add_label("POSITIVE")
    textcat.add_label("NEGATIVE")

    (train_texts, train_cats), (dev_texts, dev_cats) = load_data()
    train_data = list(zip(train_texts, [{"cats": cats} for cats in train_cats], strict=True))

    other_pipes = [pipe for pipe in nlp.pipe_names if pipe != "textcat"]
    with nlp.select_pipes(disable=other_pipes):
        optimizer = nlp.initialize()
        batch_sizes = compounding(4.0, 32.0, 1.001)
        for _ in range(n_iter):
            losses: dict[str, float] = {}
            random.shuffle(train_data)
            for batch in minibatch(train_data, size=batch_sizes):
                texts, annotations = zip(*batch, strict=True)
                nlp.update(texts, annotations, sgd=optimizer, drop=0.2, losses=losses)
            with nlp.use_params(optimizer.averages):
                scores = evaluate(nlp, dev_texts, dev_cats)
            print(
                f"{losses['textcat']:.3f}\t{scores['textcat_p']:.3f}\t{scores['textcat_r']:.3f}\t{scores['textcat_f']:.3f}"
            )

    test_text = "A warm film ."
    if output_dir is not None:
        with nlp.use_params(optimizer.averages):
            nlp.to_disk(Path(output_dir))
        nlp = runner.load(output_dir)
    cats = nlp(test_text).cats
    print("Saved", test_text, max(cats, key=cats.get))


def evaluate(nlp: runner.Pipeline, texts: list[str], cats: list[dict[str, bool]]) -> dict[str, float]:
    """Precision, recall and F of the category POSITIVE."""
    tp = fp = fn = 1e-8
    for doc, gold in zip(nlp.pipe(texts), cats, strict=True):
        is_positive = doc.cats["POSITIVE"] >= 0.5
        tp += is_positive and gold["POSITIVE"]
        fp += is_positive and not gold["POSITIVE"]
        fn += not is_positive and gold["POSITIVE"]
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return {"textcat_p": precision, "textcat_r": recall, "textcat_f": 2 * precision * recall / (precision + recall)}


if __name__ == "__main__":
    main(*sys.argv[1:])
