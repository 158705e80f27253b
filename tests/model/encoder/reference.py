"""Write reference.json: vectors of PyTorch (transformers), for test_reference.py. `python -m tests.model.encoder.reference`.

It needs torch and transformers, which no test needs. Random encoders of every architecture are written as small.py makes
them; of all-MiniLM-L6-v2, which RUNNER_DATA_MIRROR must hold, the first numbers of each vector are kept.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from tests.model.encoder.small import CONFIGS, TEXTS, write_encoder

SENTENCES = [
    "From the AP comes this story :",
    "President Bush on Tuesday nominated two individuals to replace retiring jurists on federal courts .",
    "naïve unbelievabilities … 12.50 € :-)",
]
KEPT = 8  # numbers of each vector of the large encoder
FILE = Path(__file__).with_name("reference.json")


def first_pieces(folder: Path, sentences: list[str], n: int | None) -> list[list[list[float]]]:
    """For each sentence, the last layer's vector of each word's first piece; its first n numbers."""
    import torch
    from transformers import AutoModel, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    model = AutoModel.from_pretrained(folder).eval()
    found = []
    for sentence in sentences:
        words = sentence.split()
        encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        numbers = encoded.word_ids(0)
        with torch.inference_mode():
            rows = model(input_ids=encoded["input_ids"]).last_hidden_state[0]
        found.append([[round(x, 7) for x in rows[numbers.index(i)][:n].tolist()] for i in range(len(words))])
    return found


def main() -> None:
    reference: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as work:
        for kind in CONFIGS:
            reference[kind] = first_pieces(write_encoder(Path(work) / kind, kind), TEXTS, None)
    minilm = Path(os.environ["RUNNER_DATA_MIRROR"], "encoders/all-MiniLM-L6-v2")
    reference["minilm"] = first_pieces(minilm, SENTENCES, KEPT)
    lines = [f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}" for name, value in reference.items()]
    FILE.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf8")


if __name__ == "__main__":
    main()
