"""Train a tagger with tags of one's own, each mapped to a universal tag, as with spaCy 2.1."""

import random
import sys
from pathlib import Path

import runner
from runner import compounding, minibatch

TAG_MAP = {"N": {"pos": "NOUN"}, "V": {"pos": "VERB"}, "J": {"pos": "ADJ"}}

TRAIN_DATA = [
    ("We sell maps", {"tags": ["N", "V", "N"]}),
    ("Porto drinks green wine", {"tags": ["N", "V", "J", "N"]}),
]


def main(lang: str = "en", output_dir: str | None = None, n_iter: int = 25) -> None:
    nlp = runner.blank(lang)
    tagger = nlp.add_pipe("tagger", {"tag_map": TAG_MAP})
    for tag in TAG_MAP:
        tagger.add_label(tag)

    optimizer = nlp.initialize()
    for _ in range(n_iter):
        random.shuffle(TRAIN_DATA)
        losses: dict[str, float] = {}
        for batch in minibatch(TRAIN_DATA, size=compounding(4.0, 32.0, 1.001)):
            texts, annotations = zip(*batch, strict=True)
            nlp.update(texts, annotations, sgd=optimizer, losses=losses)
    print("Losses", losses)

    doc = nlp("Porto sell green maps")
    print("Tags", [(t.text, t.tag_, t.pos_) for t in doc])

    if output_dir is not None:
        nlp.to_disk(Path(output_dir))
        doc = runner.load(output_dir)("Porto sell green maps")
        print("Saved", [(t.text, t.tag_, t.pos_) for t in doc])


if __name__ == "__main__":
    main(*sys.argv[1:])
