"""`python -m benchmarks.encoder.inputs FOLDER [ENCODER]`: write the sentences into FOLDER, and find the encoder's files."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.encoder import texts
from benchmarks.encoder.command import SENTENCES
from benchmarks.turns import reply
from runner.assemble import make_corpus
from runner.config.compose import compose
from runner.errors import RunnerError
from runner.model.encoder.pretrained import KEYS, Pretrained


def prepared(folder: Path, encoder: str) -> dict[str, str]:
    """Where the sentences and the encoder's files lie; the encoder is fetched if it has no folder."""
    model = [f"tok2vec.model={encoder}"] if encoder else []
    config = compose(["pipeline=tagger", "corpus=ud_english_ewt", "tok2vec=encoder", *model])
    path = folder / "sentences.jsonl"
    texts.write(path, [example.reference.words for example in make_corpus(config).dev[:SENTENCES]])
    source = Pretrained(config.pipeline.components["tagger"]["tok2vec"]["model"])
    (home,) = {source.path(name).parent for name in KEYS}
    return {"texts": str(path.resolve()), "encoder": str(home.resolve())}


if __name__ == "__main__":
    try:
        reply(prepared(Path(sys.argv[1]), sys.argv[2]))
    except RunnerError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
