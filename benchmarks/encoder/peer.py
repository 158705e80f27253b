"""The same encoder in PyTorch: `python -m benchmarks.encoder.peer TASK`. Nothing of this project but the clock is imported.

transformers' AutoModel on the CPU, in float32, one thread, with the attention that it chooses by itself; its own
tokenizer cuts the words. Batches are padded to their longest sentence.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from transformers import AutoModel, AutoTokenizer

from benchmarks.encoder import clock, texts
from benchmarks.measure import versions
from benchmarks.turns import reply


class Batch(NamedTuple):
    inputs: dict[str, torch.Tensor]  # (n_sentences, longest) each
    rows: torch.Tensor  # (n_words,) the first piece of each word, among n_sentences * longest


class Peer:
    """AutoModel without dropout and without its pooling layer; all other weights learn."""

    def __init__(self, folder: str) -> None:
        torch.set_num_threads(1)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        self.model = AutoModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False, **none)

    def prepare(self, sentences: Sequence[texts.Sentence]) -> Batch:
        encoded = self.tokenizer(list(sentences), is_split_into_words=True, padding=True, return_tensors="pt")
        longest = encoded["input_ids"].shape[1]
        rows = []
        for i, words in enumerate(sentences):
            numbers = encoded.word_ids(i)
            rows += [i * longest + numbers.index(number) for number in range(len(words))]
        return Batch(dict(encoded), torch.tensor(rows))

    def predict(self, batch: Batch) -> clock.Rows:
        self.model.eval()
        with torch.inference_mode():
            return self._forward(batch).numpy()

    def update(self, batch: Batch, gradient: clock.Rows) -> None:
        self.model.train()
        self._forward(batch).backward(torch.from_numpy(gradient))
        self.model.zero_grad(set_to_none=True)

    def _forward(self, batch: Batch) -> Any:
        hidden = self.model(**batch.inputs).last_hidden_state
        return hidden.flatten(0, 1)[batch.rows]


def main(text: str) -> int:
    task = json.loads(text)
    record = clock.measured(lambda: Peer(task["encoder"]), task)
    reply(record | {"threads": torch.get_num_threads(), "versions": versions("torch", "transformers", "numpy")})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
