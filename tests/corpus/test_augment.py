"""Augmenters change words and nothing else, and what they do is a function of seed, epoch and place alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.blocks import resolve
from runner.components.merge import merge
from runner.corpus.augment import (
    Augmentation,
    lower_case,
    misspelt,
    orthographic_noise,
    token_replacement,
    with_words,
)
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.errors import RunnerError


def gold(words: str = "Maria Keller visited Lake Aurel", **annotations: Any) -> Example:
    annotations.setdefault("ents", [(0, 2, "PER"), (3, 5, "LOC")])
    return Example.from_doc(Doc(words.split(), **annotations))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


class TestWithWords:
    def test_annotation_stays_and_the_original_too(self):
        example = gold(
            tags=["NNP", "NNP", "VBD", "NNP", "NNP"], heads=[1, 2, 2, 4, 2], deps=["a", "b", "root", "c", "d"],
            cats={"TRAVEL": 1.0}, sent_starts=[True, False, False, False, False],
        )  # fmt: skip
        changed = with_words(example, ["maria", "keler", "visited", "Lake", "Aurrel"])
        assert changed.predicted.text == changed.reference.text == "maria keler visited Lake Aurrel"
        assert [(ent.text, ent.label) for ent in changed.reference.ents] == [
            ("maria keler", "PER"), ("Lake Aurrel", "LOC"),
        ]  # fmt: skip
        assert changed.biluo() == example.biluo() == ["B-PER", "L-PER", "O", "B-LOC", "L-LOC"]
        assert changed.aligned_heads() == [1, 2, 2, 4, 2]
        assert changed.aligned_tags() == example.aligned_tags()
        assert changed.reference.cats == {"TRAVEL": 1.0}
        assert changed.is_augmented
        assert not example.is_augmented
        assert example.predicted.text == "Maria Keller visited Lake Aurel"

    def test_the_same_words_give_the_same_example(self):
        example = gold()
        assert with_words(example, list(example.predicted.words)) is example

    def test_on_other_tokens_only_one_to_one_words_change(self):
        # The tokenizer cuts "Keller's" in two, gold does not; what both cut alike may change.
        reference = Doc(["Maria", "Keller's", "boat"], ents=[(0, 1, "PER")])
        example = Example(Doc(["Maria", "Keller", "'s", "boat"], [True, False, True, False]), reference)
        changed = with_words(example, ["MARIA", "KELLER", "'S", "BOAT"])
        assert changed.predicted.words == ["MARIA", "Keller", "'s", "BOAT"]
        assert changed.reference.words == ["MARIA", "Keller's", "BOAT"]
        assert changed.biluo() == ["U-PER", "O", "O", "O"]


class TestLowerCase:
    def test_the_whole_text_or_none_of_it(self):
        assert lower_case(level=1.0)(gold(), rng()).predicted.text == "maria keller visited lake aurel"
        example = gold()
        assert lower_case(level=0.0)(example, rng()) is example

    def test_level_is_the_share_of_examples(self):
        augment, example = lower_case(level=0.25), gold()
        n = sum(augment(example, rng(i)).is_augmented for i in range(2000))
        assert 440 < n < 560  # 500, give or take three standard deviations of 19


class TestNoise:
    @pytest.mark.parametrize(
        ("kind", "at", "expected"),
        [
            (0, 1, "baot"),
            (0, 2, "bota"),
            (0, 3, "bota"),
            (1, 1, "bat"),
            (1, 3, "boa"),
            (2, 1, "booat"),
            (2, 3, "boatt"),
        ],
    )
    def test_typos_by_hand(self, kind, at, expected):
        assert misspelt("boat", kind, at) == expected

    def test_only_long_words_of_letters_and_never_the_first_letter(self):
        augment = orthographic_noise(level=1.0, per_token=1.0)
        example = gold("Zoë met 12345 @user_name Wednesday", ents=[])
        for seed in range(50):
            words = augment(example, rng(seed)).predicted.words
            assert words[:4] == ["Zoë", "met", "12345", "@user_name"]
            assert words[4][0] == "W"
            assert abs(len(words[4]) - len("Wednesday")) <= 1
            assert len(words) == 5

    def test_a_text_without_long_words_is_left_alone(self):
        example = gold("a b c", ents=[])
        assert orthographic_noise(level=1.0, per_token=1.0)(example, rng()) is example


class TestReplacement:
    def test_from_a_table_with_the_capital_kept(self):
        augment = token_replacement(level=1.0, per_token=1.0, table={"you": ["u"], "Lake": ["Mount"]})
        example = gold("You see Lake Aurel", ents=[(2, 4, "LOC")])
        assert augment(example, rng()).predicted.words == ["U", "see", "Mount", "Aurel"]

    def test_from_a_file(self, tmp_path):
        path = tmp_path / "table.yaml"
        path.write_text("visited: [saw]\n", encoding="utf8")
        augment = token_replacement(level=1.0, per_token=1.0, table=str(path))
        assert augment(gold(), rng()).predicted.text == "Maria Keller saw Lake Aurel"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("visited: saw", "no list of words for 'visited'"),
            ("visited: [two words]", "'two words', which is not one word"),
            ("- a", "does not map"),
            ("a: [b", "not YAML"),
        ],
    )
    def test_a_bad_table_is_named(self, tmp_path, text, message):
        path = tmp_path / "table.yaml"
        path.write_text(text, encoding="utf8")
        with pytest.raises(RunnerError, match=message) as caught:
            token_replacement(table=str(path))
        assert str(path) in str(caught.value)

    def test_by_tag_only_words_of_that_tag_come(self):
        first = gold("Maria slept", ents=None, tags=["NNP", "VBD"])
        second = gold("Lin ate", ents=None, tags=["NNP", "VBD"])
        augment = token_replacement(level=1.0, per_token=1.0)
        augment.prepare([first, second])
        seen = {tuple(augment(first, rng(seed)).predicted.words) for seed in range(40)}
        assert seen == {(a, b) for a in ("Maria", "Lin") for b in ("slept", "ate")}

    def test_by_entity_words_outside_stay(self):
        augment = token_replacement(level=1.0, per_token=1.0, same="entity")
        augment.prepare([gold(), gold("Lin Bo saw Mount Rigi")])
        seen = {augment(gold(), rng(seed)).predicted.text for seed in range(60)}
        assert seen == {
            f"{a} {b} visited {c} {d}" for a in ("Maria", "Lin") for b in ("Keller", "Bo") for c in ("Lake", "Mount")
            for d in ("Aurel", "Rigi")
        }  # fmt: skip

    def test_frequent_words_come_more_often(self):
        tags = ["NN"] * 4
        example = gold("boat boat boat ship", ents=None, tags=tags)
        augment = token_replacement(level=1.0, per_token=1.0)
        augment.prepare([example])
        words = [word for seed in range(500) for word in augment(example, rng(seed)).predicted.words]
        assert 0.70 < words.count("boat") / len(words) < 0.80  # three of four

    def test_without_the_annotation_it_says_so(self):
        with pytest.raises(RunnerError, match="same=tag"):
            token_replacement(same="tag").prepare([gold()])


class TestAugmentation:
    STEPS = (("lower_case", {"level": 0.5}), ("orthographic_noise", {"level": 0.5, "per_token": 0.5}))

    def make(self, seed: int = 0) -> Augmentation:
        return Augmentation(
            {name: resolve({"type": name, **rest}, "augmenters", name) for name, rest in self.STEPS}, seed
        )

    def test_a_function_of_seed_epoch_and_place_alone(self):
        examples = [gold() for _ in range(30)]
        forwards, backwards = self.make(), self.make()
        keys = [(epoch, i) for epoch in (1, 2) for i in range(30)]
        first = {key: forwards(examples[key[1]], *key).predicted.text for key in keys}
        second = {key: backwards(examples[key[1]], *key).predicted.text for key in reversed(keys)}
        assert first == second
        one, two = ([first[epoch, i] for i in range(30)] for epoch in (1, 2))
        assert one != two
        assert one != [self.make(seed=1)(example, 1, i).predicted.text for i, example in enumerate(examples)]
        assert len(set(one)) > 5

    def test_one_more_augmenter_does_not_change_what_the_others_draw(self):
        lower = Augmentation({"lower_case": lower_case(0.5)}, 0)
        both = Augmentation({"first": lambda example, rng: example, "lower_case": lower_case(0.5)}, 0)
        example = gold()
        texts = [[one(example, 1, i).predicted.text for i in range(20)] for one in (lower, both)]
        assert texts[0] == texts[1]


def test_merged_tokens_of_a_changed_example_still_align():
    changed = with_words(gold(), ["maria", "keler", "visited", "lake", "aurel"])
    merged = merge("merge").retokenized(changed)
    assert merged.predicted.words == ["maria keler", "visited", "lake aurel"]
    assert merged.biluo() == ["U-PER", "O", "U-LOC"]
    assert merged.is_augmented


@pytest.mark.parametrize("make", [lower_case, orthographic_noise, token_replacement])
@pytest.mark.parametrize("level", [-0.1, 1.1])
def test_a_share_is_a_share(make, level):
    with pytest.raises(RunnerError, match="level"):
        make(level=level)


def test_a_missing_table_is_named():
    with pytest.raises(RunnerError, match=r"no-such\.yaml"):
        token_replacement(table=str(Path("no-such.yaml")))
