"""spaCy and thinc names that users may type, each with the way to write the same in runner.

    >>> print(unknown("nlp", Exception(), "begin_training"))
    nlp has no 'begin_training'
      Write nlp.initialize(get_examples) for new weights, nlp.resume_training() for a trained pipeline.

This module does not make spaCy names work; this module only explains missing names.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from runner.errors import RunnerError

_NO_VOCAB = "Words need no Vocab here: Doc(words, spaces), labels and tags are plain strings."
_NOT_PREDICTED = "Nothing here predicts it."
_SELECT = (
    "Write nlp.select_pipes(disable=[NAME]); it acts at once, with `with` until the block ends, and has restore()."
)
_GOLD = (
    'Give nlp.update a dict: nlp.update([doc], [{"entities": [(0, 4, "ORG")]}]); or write Example.from_dict(doc, {…}).'
)
_COMPONENTS = "Write nlp.components, a dict of name → component; nlp.pipe_names are those that take part."
_GET_PIPE = "Write nlp.get_pipe(NAME)."
_ONE_VECTOR = "There are no word vectors, and no similarity."
_UNITS = "Write [token.text for token in doc]; labels and tags are plain strings, no numbers."

MODULES: Mapping[str, str] = {
    "util": "Write `from runner import minibatch, compounding, decaying`.",
    "gold": "Write `from runner import Example, offsets_to_biluo, biluo_to_offsets`. There is no GoldParse. " + _GOLD,
    "tokens": "Write `from runner import Doc, Span, Token`.",
    "language": "Write `runner.blank(lang)` in place of Language().",
    "pipeline": "Write `nlp.add_pipe(NAME)`; `from runner import Pipeline` is the class of nlp.",
    "vocab": _NO_VOCAB,
    "strings": _NO_VOCAB,
    "lang": 'Write `runner.blank("en")`.',
    "scorer": "Write `nlp.evaluate(examples)`.",
    "matcher": "Token patterns are used by `python -m runner bootstrap TEXTS --patterns FILE`.",
    "optimizers": "Write `from runner import adam, radam, sgd`.",
    "displacy": "A notebook draws a doc that ends a cell; doc._repr_html_() is the HTML of the drawing.",
    "cli": "Write `python -m runner` on the command line; `python -m runner --help` lists the commands.",
    "attrs": _UNITS,
    "symbols": _UNITS,
    "schedules": "Write `from runner import constant, compounding, decaying, delayed, linear, warmup_linear`.",
}
_RUNNER: Mapping[str, str] = {
    **MODULES,
    "Language": 'Write runner.blank("en"); the class is runner.Pipeline.',
    "Vocab": _NO_VOCAB,
    "GoldParse": _GOLD,
    "GoldCorpus": "Write runner.read_corpus(FILE), a list of Examples.",
    "Corpus": "Write runner.read_corpus(FILE), a list of Examples.",
    "DocBin": "Write runner.read_corpus(FILE), and runner.write_corpus(FILE, docs) for a FILE that ends in .spacy.",
    "Scorer": "Write nlp.evaluate(examples).",
    "Matcher": MODULES["matcher"],
    "PhraseMatcher": MODULES["matcher"],
    "EntityRuler": MODULES["matcher"],
    "EntityRecognizer": 'Write nlp.add_pipe("ner").',
    "Tagger": 'Write nlp.add_pipe("tagger").',
    "DependencyParser": 'Write nlp.add_pipe("parser").',
    "TextCategorizer": 'Write nlp.add_pipe("textcat").',
    "Adam": "Write runner.adam(learn_rate=0.001).",
    "RAdam": "Write runner.radam(learn_rate=0.001).",
    "SGD": "Write runner.sgd(learn_rate=0.01).",
    "Optimizer": "Write runner.adam(), runner.radam() or runner.sgd().",
    "fix_random_seed": 'Write runner.blank("en", seed=0): a seed belongs to a pipeline.',
    "prefer_gpu": "There is no GPU support; leave it out.",
    "require_gpu": "There is no GPU support; leave it out.",
    "require_cpu": "Everything computes on the CPU; leave it out.",
    "explain": "Labels are those of your data; nothing explains them.",
    "info": "Read meta.json and config.json in the model's folder.",
    "biluo_tags_from_offsets": "Write runner.offsets_to_biluo(doc, entities).",
    "offsets_from_biluo_tags": "Write runner.biluo_to_offsets(doc, tags).",
    "offsets_to_biluo_tags": "Write runner.offsets_to_biluo(doc, entities).",
    "biluo_tags_to_offsets": "Write runner.biluo_to_offsets(doc, tags).",
}
_NLP: Mapping[str, str] = {
    "begin_training": "Write nlp.initialize(get_examples) for new weights, nlp.resume_training() for a trained pipeline.",
    "create_optimizer": "Write runner.adam(), or nlp.resume_training().",
    "create_pipe": 'Write nlp.add_pipe("ner"): it makes the component, adds and returns it.',
    "replace_pipe": "Write nlp.remove_pipe(NAME), then nlp.add_pipe(NAME, config).",
    "disable_pipes": _SELECT,
    "disable_pipe": _SELECT,
    "enable_pipe": "Call restore() of what nlp.select_pipes returned, or write nlp.select_pipes(enable=[NAME]).",
    "disabled": "Write set(nlp.components) - set(nlp.pipe_names).",
    "pipeline": "Write nlp.components.items(), pairs of name and component.",
    "component_names": "Write list(nlp.components).",
    "pipe_factories": "Write nlp.blocks, a dict of name → `type:` block.",
    "factory_names": _COMPONENTS,
    "pipe_labels": "Write {name: component.labels for name, component in nlp.components.items()}.",
    "add_label": 'Write nlp.get_pipe("ner").add_label(LABEL).',
    "move_names": 'Write nlp.get_pipe("ner").labels.',
    "labels": 'Write nlp.get_pipe("ner").labels.',
    "entity": _GET_PIPE,
    "tagger": _GET_PIPE,
    "parser": _GET_PIPE,
    "vocab": _NO_VOCAB,
    "tokenizer": 'Write nlp.make_doc(text); choose another with runner.blank("en", tokenizer={"type": NAME}).',
    "config": "Write nlp.describe().",
    "Defaults": "Write nlp.describe(); settings are given to runner.blank and nlp.add_pipe.",
    "path": "Keep the path that you gave runner.load.",
    "preprocess_gold": "Leave it out: nlp.update takes texts and dicts as they are.",
    "from_config": "Write `python -m runner`, or nlp.add_pipe(NAME, config).",
    "max_length": "There is no limit; leave it out.",
    "batch_size": "Write nlp.pipe(texts, batch_size=256).",
    "factory": "Write @runner.registry.components(NAME), see docs/extending.md.",
    "component": "Write @runner.registry.components(NAME), see docs/extending.md.",
    "analyze_pipes": "Write nlp.describe().",
    "memory_zone": "Leave it out: memory for new words is bounded.",
}
_COMPONENT: Mapping[str, str] = {
    "move_names": "Write component.labels.",
    "model": "Write component.head; all weights are nlp.parameters.",
    "cfg": "Write nlp.blocks[component.name].",
    "vocab": _NO_VOCAB,
    "begin_training": "Write nlp.initialize(get_examples).",
    "initialize": "Write nlp.initialize(get_examples).",
    "resume_training": "Write nlp.resume_training().",
    "create_optimizer": "Write runner.adam().",
    "predict": "Write nlp(text), or nlp.pipe(texts).",
    "pipe": "Write nlp.pipe(texts).",
    "set_annotations": "Write nlp(text); a component annotates in place.",
    "rehearse": "Write nlp.rehearse(texts).",
    "use_params": "Write nlp.use_params(sgd.averages).",
    "to_disk": "Write nlp.to_disk(path).",
    "from_disk": "Write nlp.from_disk(path), or nlp.add_pipe(NAME, source=runner.load(path)).",
    "to_bytes": "Write nlp.to_bytes().",
    "from_bytes": "Write nlp.from_bytes(data).",
    "beam_parse": "Write nlp.ent_candidates(docs, threshold) for entities with their probabilities.",
    "label_data": "Write component.labels.",
}
_DOC: Mapping[str, str] = {
    "vocab": _NO_VOCAB,
    "noun_chunks": _NOT_PREDICTED,
    "vector": _ONE_VECTOR,
    "has_vector": _ONE_VECTOR,
    "similarity": _ONE_VECTOR,
    "tensor": _ONE_VECTOR,
    "user_data": "Write doc.meta, a dict.",
    "_": "Write doc.meta, a dict.",
    "set_extension": "Write doc.meta, a dict.",
    "has_annotation": "Compare the layer with None: doc.tags, doc.pos, doc.deps, doc.heads, doc.cats; doc.has_ents.",
    "is_tagged": "Write doc.tags is not None.",
    "is_parsed": "Write doc.heads is not None.",
    "is_nered": "Write doc.has_ents.",
    "is_sentenced": "Write doc.sent_starts is not None.",
    "to_bytes": "Write pickle.dumps(doc).",
    "from_bytes": "Write pickle.loads(data).",
    "to_array": "Write doc.tags, doc.pos, doc.deps, doc.heads: lists of one value a token.",
    "merge": "Write `with doc.retokenize() as retokenizer: retokenizer.merge(doc[start:end])`.",
    "text_with_ws": "Write doc.text.",
    "lang_": "Write nlp.lang.",
    "spans": "Write doc.ents.",
    "sentiment": _NOT_PREDICTED,
}
_NUMBER = "Write token.{}_: labels and tags are plain strings, no numbers."
_TOKEN: Mapping[str, str] = {
    **{name: _NUMBER.format(name) for name in ("tag", "pos", "dep", "ent_type", "whitespace")},
    **dict.fromkeys(("orth", "orth_", "string", "lex", "rank"), "Write token.text."),
    "lower_": "Write token.text.lower().",
    "lower": "Write token.text.lower().",
    "norm_": "Write token.text.lower().",
    "prefix_": "Write token.text[0].",
    "suffix_": "Write token.text[-3:].",
    "shape_": "Write runner.corpus.lexemes.shape(token.text).",
    "lemma_": _NOT_PREDICTED,
    "lemma": _NOT_PREDICTED,
    "morph": 'Write doc.meta["feats"][token.i], where the tagger has a tag map.',
    "is_alpha": "Write token.text.isalpha().",
    "is_digit": "Write token.text.isdigit().",
    "is_lower": "Write token.text.islower().",
    "is_upper": "Write token.text.isupper().",
    "is_title": "Write token.text.istitle().",
    "is_space": "Write token.text.isspace().",
    "is_punct": 'Write token.pos_ == "PUNCT", where the tagger has a tag map.',
    "is_stop": "There are no lists of stop words.",
    "like_num": "Write token.text.isnumeric().",
    "ent_iob": "Write token.ent_iob_: B, I, O or nothing.",
    "conjuncts": 'Choose from token.children by child.dep_ == "conj".',
    "is_sent_end": "Write token.i + 1 == token.sent.end.",
    "has_head": "Compare doc.heads with None; a root is its own head.",
    "vector": _ONE_VECTOR,
    "has_vector": _ONE_VECTOR,
    "similarity": _ONE_VECTOR,
    "vocab": _NO_VOCAB,
    "_": "Write token.doc.meta, a dict.",
}  # fmt: skip
_SPAN: Mapping[str, str] = {
    "orth_": "Write span.text.",
    "string": "Write span.text.",
    "text_with_ws": "Write span.text.",
    "lower_": "Write span.text.lower().",
    "lemma_": _NOT_PREDICTED,
    "noun_chunks": _NOT_PREDICTED,
    "as_doc": "Write nlp.make_doc(span.text).",
    "kb_id_": _NOT_PREDICTED,
    "ent_id_": _NOT_PREDICTED,
    "merge": "Write `with doc.retokenize() as retokenizer: retokenizer.merge(span)`.",
    "conjuncts": 'Choose from span.root.children by child.dep_ == "conj".',
    **dict.fromkeys(("subtree", "lefts", "rights", "n_lefts", "n_rights"), "Write it of span.root, a token."),
    "vector": _ONE_VECTOR,
    "similarity": _ONE_VECTOR,
    "vocab": _NO_VOCAB,
    "_": "Write span.doc.meta, a dict.",
}
_RETOKENIZER: Mapping[str, str] = {
    "split": "Tokens are not split here; give Doc the words that you mean: Doc(words, spaces).",
}
_EXAMPLE: Mapping[str, str] = {
    "x": "Write example.predicted.",
    "y": "Write example.reference.",
    "text": "Write example.reference.text.",
    "get_aligned": "Write example.aligned_tags(), aligned_pos(), aligned_deps(), aligned_heads() or aligned_ents().",
    "get_aligned_ner": "Write example.biluo().",
    "get_aligned_parse": "Write example.aligned_heads() and example.aligned_deps().",
    "get_aligned_sent_starts": "Write example.aligned_sent_starts().",
    "get_aligned_spans_y2x": "Write example.aligned_ents().",
    "to_dict": "Write example.reference, a Doc with tags, pos, heads, deps, cats and ents.",
    "split_sents": "Write example.reference.sents.",
}
_OPTIMIZER: Mapping[str, str] = {
    **dict.fromkeys(("alpha", "lr", "learning_rate", "rate", "lr_scale"), "Set learn_rate."),
    "b1": "Set beta1.",
    "b2": "Set beta2.",
    "epsilon": "Set eps.",
    **dict.fromkeys(("max_grad_norm", "grad_norm_clip", "clip", "max_norm"), "Set grad_clip."),
    **dict.fromkeys(("weight_decay", "l2", "L2_penalty"), "Set L2; L2_is_weight_decay says whether it is decoupled."),
    **dict.fromkeys(("decay", "schedules"), "Set learn_rate to a schedule, such as runner.decaying(0.001, 0.0001, 1e-6)."),
    **dict.fromkeys(("step_schedules", "last_seen"), "Leave it out: schedules go by the updates done."),
    **dict.fromkeys(("mom1", "mom2"), "Write sgd.state, a dict of flat arrays."),
    "nr_update": "Write sgd.step, the number of updates done.",
    "nr_iter": "Write sgd.step, the number of updates done.",
    "use_radam": "Write runner.radam() in place of runner.adam().",
    "to_gpu": "There is no GPU support; leave it out.",
    "to_cpu": "Leave it out: everything is on the CPU.",
}  # fmt: skip

_TABLES: Mapping[str, Mapping[str, str]] = {
    "runner": _RUNNER,
    "nlp": _NLP,
    "component": _COMPONENT,
    "doc": _DOC,
    "token": _TOKEN,
    "span": _SPAN,
    "retokenizer": _RETOKENIZER,
    "example": _EXAMPLE,
    "the optimizer": _OPTIMIZER,
}


class UnknownName(RunnerError, AttributeError):
    """A spaCy or thinc name is missing; the hint says what to write. An AttributeError, so `hasattr`, copy and pickle work."""


class UnknownImport(RunnerError, ImportError):
    """A spaCy module or name was imported from runner; the hint says what to write instead."""


def refuse_import(name: str, exported: Container[str]) -> None:
    """Raise UnknownImport if `name` is a spaCy name with "runner" in place of "spacy". exported: the names in `runner`."""
    _, top, *rest = name.split(".")
    last = rest[-1] if rest else top
    hint = MODULES.get(top) if rest or top not in _RUNNER else _RUNNER[top]
    if hint is None and rest:
        hint = f"Write `from runner import {last}`." if last in exported else _RUNNER.get(last)
    if hint is not None:
        raise UnknownImport(f"there is no {name}", hint=hint)


def unknown(kind: str, owner: object, name: str) -> AttributeError:
    """The error to raise from `__getattr__` for a name that `owner` does not have.

    kind: the users' word for the owner: "nlp", "doc", "token", … (a key of `_TABLES`). A name that is in neither spaCy nor
    thinc gives Python's own message.
    """
    hint = _TABLES[kind].get(name)
    if hint is None and kind == "runner":
        return AttributeError(f"module 'runner' has no attribute {name!r}", name=name, obj=owner)
    if hint is None:
        return AttributeError(f"{type(owner).__name__!r} object has no attribute {name!r}", name=name, obj=owner)
    return UnknownName(f"{kind} has no {name!r}", hint=hint)


class ExplainsNames:
    """Base of classes that answer a missing attribute with `unknown`."""

    __slots__ = ()
    _kind: ClassVar[str]  # the `kind` argument of `unknown`

    if not TYPE_CHECKING:  # hidden from type checkers, which would otherwise accept any name

        def __getattr__(self, name: str) -> Any:
            raise unknown(self._kind, self, name)
