"""Our tokenizers as spaCy's tokenizer: `[nlp.tokenizer] @tokenizers = "runner.Tokenizer.v1"`.

The words are those that the model was trained on, and `doc.text` is the text: white space beyond one blank after a word
becomes a token of its own, as in spaCy's docs. A spaCy pipeline with spaCy's own tokenizer works as well; our components then
take its tokens as they are.
"""

# No `from __future__ import annotations` here: spaCy reads the annotations of the factory as objects.

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from spacy.tokens import Doc as SpacyDoc
from spacy.util import registry

from runner.blocks import resolve
from runner.corpus.alignment import word_edges

NAME = "runner.Tokenizer.v1"


@registry.tokenizers(NAME)
def make_tokenizer(block: dict[str, Any]) -> Callable[[Any], "SpacyTokenizer"]:
    """block: a tokenizer's `type:` block, as in a run's config."""
    return lambda nlp: SpacyTokenizer(nlp.vocab, block)


class SpacyTokenizer:
    """What spaCy calls with a text. It has no state beside its block, which spaCy's config holds."""

    def __init__(self, vocab: Any, block: dict[str, Any]) -> None:
        self.vocab = vocab
        self.block = block
        self._tokenize: Any = None

    def __reduce__(self) -> Any:
        return SpacyTokenizer, (self.vocab, self.block)

    def __call__(self, text: str) -> SpacyDoc:
        """The spaCy Doc of a text. Raises RunnerError if the tokenizer's library is missing."""
        if self._tokenize is None:
            self._tokenize = resolve(self.block, "tokenizers", "nlp.tokenizer.block")
        words, spaces = self._tokenize(text)
        doc = SpacyDoc(self.vocab, words=words, spaces=spaces)
        return doc if doc.text == text else SpacyDoc(self.vocab, *_with_white_space(text, words))

    def pipe(self, texts: Iterable[str], batch_size: int = 1000) -> Iterator[SpacyDoc]:
        """The docs of a stream of texts."""
        return map(self, texts)

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Nothing: spaCy's config has it all."""
        return b""

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "SpacyTokenizer":
        return self

    def to_disk(self, path: Any, *, exclude: Iterable[str] = ()) -> None:
        """Nothing: spaCy's config has it all."""

    def from_disk(self, path: Any, *, exclude: Iterable[str] = ()) -> "SpacyTokenizer":
        return self


def _with_white_space(text: str, words: "list[str]") -> "tuple[list[str], list[bool]]":
    """spaCy's (words, spaces) that spell the text: a blank after a word is its space, all other white space is a token."""
    tokens: list[str] = []
    spaces: list[bool] = []
    end = 0
    starts, ends = word_edges(text, words)
    for i in range(len(words) + 1):
        start = starts[i] if i < len(words) else len(text)
        gap = text[end:start]
        if tokens and gap.startswith(" "):
            spaces[-1] = True
            gap = gap[1:]
        if gap:
            is_followed = gap.endswith(" ") and len(gap) > 1
            tokens.append(gap[:-1] if is_followed else gap)
            spaces.append(is_followed)
        if i < len(words):
            tokens.append(text[start : ends[i]])
            spaces.append(False)
            end = ends[i]
    return tokens, spaces
