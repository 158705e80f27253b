"""Tag maps: the ways to write one, the one that comes along, and what each mistake is called."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.components.tag_map import UNIVERSAL_TAGS, TagMap, read_tag_map
from runner.corpus.readers.conllu import conllu
from runner.corpus.readers.jsonl import jsonl
from runner.errors import RunnerError

MIRROR = os.environ.get("RUNNER_DATA_MIRROR")
needs_data = pytest.mark.skipif(not MIRROR, reason="RUNNER_DATA_MIRROR names no folder with the data sets")

YAML = """\
NN: NOUN
NNS: {pos: NOUN, Number: Plur}
"PRP$": {POS: PRON, Poss: "Yes", Case: Gen}
VBZ: {pos: VERB, feats: "Tense=Pres|Person=3"}
"""
MEANING = {
    "NN": ("NOUN", None),
    "NNS": ("NOUN", "Number=Plur"),
    "PRP$": ("PRON", "Case=Gen|Poss=Yes"),
    "VBZ": ("VERB", "Person=3|Tense=Pres"),
}


def test_yaml_json_and_inline_say_the_same(tmp_path):
    (tmp_path / "map.yaml").write_text(YAML, "utf-8")
    from_yaml = read_tag_map(str(tmp_path / "map.yaml"), "tag_map")
    assert from_yaml.entries == MEANING
    inline = from_yaml.as_block()
    assert read_tag_map(inline, "tag_map").entries == MEANING
    (tmp_path / "map.json").write_text(json.dumps(inline), "utf-8")
    assert read_tag_map(str(tmp_path / "map.json"), "tag_map").entries == MEANING


def test_missing_tags_are_named():
    tags = TagMap(MEANING_BLOCK, "tag_map")
    tags.check(["NN", "NNS"])
    with pytest.raises(RunnerError, match="tag_map: the tag map has no entry for 2 tags: 'JJ', 'RB'"):
        tags.check(["RB", "NN", "JJ"])
    rest = TagMap({**MEANING_BLOCK, "*": "X"}, "tag_map")
    rest.check(["RB"])
    assert rest["RB"] == ("X", None)
    assert rest["NN"] == ("NOUN", None)


MEANING_BLOCK = {"NN": "NOUN", "NNS": {"pos": "NOUN", "Number": "Plur"}}

FAULTS = [
    ("NN: NOON\n", r"map.yaml: 'NOON' for the tag 'NN' is no universal tag; did you mean 'NOUN'\?"),
    ("NN: 92\n", "92 for the tag 'NN' is no universal tag"),
    ("NN: {pos: [NOUN]}\n", "is no universal tag"),
    ("NN: {Number: Sing}\n", "the tag 'NN' has no pos"),
    ("NO: NOUN\n", "the tag False is no text"),
    ("NN: {pos: NOUN, Poss: Yes}\n", "Poss: True for the tag 'NN' is no feature"),
    ("NN: {pos: NOUN, feats: Sing}\n", "feats: 'Sing' for the tag 'NN' is no feature"),
    ("NN: {pos: NOUN, feats: 'A=b|'}\n", "is no feature"),
    ("NN: {pos: NOUN, Number: ''}\n", "is no feature"),
    ("NN: {pos: NOUN, Number: null}\n", "Number: None for the tag 'NN' is no feature"),
    ("", "the tag map is no mapping"),
    ("{}", "the tag map is empty"),
    ("- NN\n", "the tag map is no mapping"),
    ("NN: NOUN\nVB: {pos\n", "map.yaml:3: the tag map is neither YAML nor JSON"),
]


@pytest.mark.parametrize(("text", "fact"), FAULTS)
def test_faults_of_a_file(tmp_path, text, fact):
    (tmp_path / "map.yaml").write_text(text, "utf-8")
    with pytest.raises(RunnerError, match=fact) as caught:
        read_tag_map(str(tmp_path / "map.yaml"), "tag_map")
    assert str(tmp_path / "map.yaml") in str(caught.value)
    assert str(caught.value).count("\n") <= 1


def test_faults_of_the_place(tmp_path):
    with pytest.raises(RunnerError, match=r"tag_map: there is no tag map 'en_ptp'; did you mean 'en_ptb'"):
        read_tag_map("en_ptp", "tag_map")
    with pytest.raises(RunnerError, match=r"tag_map: the tag map no/such\.yaml cannot be read"):
        read_tag_map("no/such.yaml", "tag_map")
    with pytest.raises(RunnerError, match="cannot be read"):
        read_tag_map(str(tmp_path) + "/", "tag_map")
    (tmp_path / "map.yaml").write_bytes(b"N\xe9: NOUN\n")
    with pytest.raises(RunnerError, match=r"cannot be read .it is not UTF-8"):
        read_tag_map(str(tmp_path / "map.yaml"), "tag_map")
    (tmp_path / "map.json").write_text("{", "utf-8")
    with pytest.raises(RunnerError, match="the tag map is not JSON"):
        read_tag_map(str(tmp_path / "map.json"), "tag_map")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(UNIVERSAL_TAGS),
    lambda inner: st.dictionaries(st.sampled_from(["pos", "feats", "POS"]) | st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(max_size=3) | st.integers(), VALUES, max_size=4))
def test_any_mapping_is_a_map_or_one_error(entries):
    try:
        tags = TagMap(entries, "tag_map")
    except RunnerError as error:
        fault = str(error)
    else:
        fault = ""
        assert TagMap(tags.as_block(), "tag_map").entries == tags.entries
        assert all(pos in UNIVERSAL_TAGS for pos, _ in tags.entries.values())
    assert fault.count("\n") <= 1


def test_the_bundled_map_knows_the_sample_corpus():
    from runner.corpus.locate import SAMPLE

    tags = read_tag_map("en_ptb", "tag_map")
    docs = [doc for name in ("train.jsonl", "dev.jsonl") for doc in jsonl()(SAMPLE / name)]
    tags.check(tag for doc in docs for tag in doc.tags)
    pairs = [(tags[tag][0], pos) for doc in docs for tag, pos in zip(doc.tags, doc.pos, strict=True)]
    assert sum(a == b for a, b in pairs) > 0.9 * len(pairs)


@pytest.mark.slow
@needs_data
def test_the_bundled_map_on_ewt():
    tags = read_tag_map("en_ptb", "tag_map")
    docs = list(conllu()(Path(MIRROR) / "ud_english_ewt/en_ewt-ud-train.conllu"))
    tags.check(tag for doc in docs for tag in doc.tags)
    pairs = [(tags[tag][0], pos) for doc in docs for tag, pos in zip(doc.tags, doc.pos, strict=True)]
    assert round(sum(a == b for a, b in pairs) / len(pairs), 3) == 0.92  # as its first lines say
