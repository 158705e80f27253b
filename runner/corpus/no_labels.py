"""Explain why annotated data gave a component no labels: entities that fit no tokens, and keys that no reader read."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

from runner.corpus.annotations import UNALIGNED
from runner.corpus.example import Example

_SCRIPTS = {"HIRAGANA": "ja", "KATAKANA": "ja", "CJK": "zh", "THAI": "th", "LAO": "lo", "KHMER": "km", "MYANMAR": "my"}
_NAMES = {"ja": "Japanese", "zh": "Chinese", "th": "Thai", "lo": "Lao", "km": "Khmer", "my": "Burmese"}
_LOOKED_AT = 200  # examples
_LEARNT_BY = {"entities": "ner", "tags": "tagger", "trees": "parser", "categories": "textcat"}  # annotation → pipeline
_OF_READERS = (
    "comments",
    "columns",
    "opens_document",
    "lemmas",
    "feats",
    "enhanced",
    "misc",
    "multiword",
    "empty_nodes",
)


def unfit_entities(examples: Sequence[Example]) -> tuple[str, str] | None:
    """(fact, hint) if the examples have entities and no entity fits the tokens, else None."""
    n = sum(example.excluded_ents for example in examples)
    if not n or any(example.reference.ents and example.aligned_ents() for example in examples):
        return None
    unfit = [example for example in examples if example.excluded_ents]
    language = unspaced_language("".join(example.reference.text for example in unfit[:_LOOKED_AT]))
    fact = (
        f"the {n:,} entities of the training data do not fit the tokens"
        if n > 1
        else "the only entity does not fit the tokens"
    )
    if language is None:
        return fact, "Check their offsets: do they count characters of the text? Else set pipeline.tokenizer."
    fact += f": the tokenizer does not split {_NAMES[language]}"
    return fact, (
        "pipeline.tokenizer.type=spacy pipeline.lang=zh takes each character for a token"
        + (
            f", pipeline.lang={language} splits words where spaCy's library for it is installed"
            if language in ("ja", "th")
            else ""
        )
        + "; or give 'words' in the data."
    )


def unspaced_language(text: str) -> str | None:
    """spaCy's language code if 30% of the letters or more are of a script without spaces, else None.

    >>> unspaced_language("私は東京に住んでいます。"), unspaced_language("Tokyo"), unspaced_language("东京很大")
    ('ja', None, 'zh')
    """
    scripts = Counter(
        unicodedata.name(letter, "").partition(" ")[0].partition("-")[0] for letter in text[:5000] if letter.isalpha()
    )
    languages = Counter(dict.fromkeys(_NAMES, 0))
    for script, n in scripts.items():
        if script in _SCRIPTS:
            languages[_SCRIPTS[script]] += n
    if languages.total() < 0.3 * max(scripts.total(), 1) or not languages.total():
        return None
    if languages["ja"]:
        languages["ja"] += languages.pop("zh")
    return languages.most_common(1)[0][0]


def held(examples: Sequence[Example]) -> list[str]:
    """What the first examples are annotated with, in the words of _LEARNT_BY."""
    docs = [example.reference for example in examples[:_LOOKED_AT]]
    layers = {
        "entities": any(doc.ents for doc in docs),
        "tags": any(tag is not None for doc in docs for tag in doc.tags or ()),
        "trees": any(head is not None for doc in docs for head in doc.heads or ()),
        "categories": any(doc.cats for doc in docs),
    }
    return [name for name, is_held in layers.items() if is_held]


def holding(examples: Sequence[Example]) -> tuple[str, str]:
    """(a clause for a fact, a sentence for a hint) of what the examples are annotated with; ("", "") if with nothing.

    The clause: "; it holds tags and trees". The sentence names the pipelines that learn from that.
    """
    names = held(examples)
    if not names:
        return "", ""
    pipelines = " or ".join(f"pipeline={_LEARNT_BY[name]}" for name in names)
    return f"; it holds {_listed(names)}", f"Choose {pipelines}, or other data."


def _listed(names: Sequence[str]) -> str:
    """
    >>> _listed(["tags"]), _listed(["tags", "trees"]), _listed(["entities", "tags", "trees"])
    ('tags', 'tags and trees', 'entities, tags and trees')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def unread_keys(examples: Sequence[Example]) -> str:
    """A sentence that names the data's unread keys; "" if all keys are read."""
    keys = Counter(
        key
        for example in examples[:_LOOKED_AT]
        for key in example.reference.meta
        if key not in (*_OF_READERS, UNALIGNED)
    )
    named = ", ".join(repr(key)[:40] for key, _ in keys.most_common(6))
    return (
        f" The data's keys {named} are not read; the known ones are text, words, entities, cats, tags, heads, deps."
        if keys
        else ""
    )
