"""Every file of conf/ composes, and what it describes can be built."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config.compose import compose
from runner.config.conf_folder import conf_dir

OPTIONS = sorted(
    f"{file.parent.name}={file.stem}" for file in conf_dir().glob("*/*.yaml") if not file.name.startswith("_")
)
# A value that a file leaves to the user.
NEEDED = {"corpus=files": ["corpus.train=a.iob", "corpus.dev=b.iob"], "vectors=file": ["vectors.path=a.vec"]}


@pytest.fixture(autouse=True)
def no_variables_of_the_seeds_era(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("learn_rate", "dropout_from", "dropout_to", "dropout_decay", "batch_from", "batch_to",
                 "batch_compound", "token_vector_width", "embed_size", "hidden_width", "optimizer_B1", "optimizer_B2",
                 "optimizer_eps", "L2_penalty", "grad_norm_clip"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes_and_is_accepted_by_its_factory(option: str) -> None:
    config = compose([option, *NEEDED.get(option, [])])
    group, _, name = option.partition("=")
    assert config.choices[group] == name


@pytest.mark.parametrize("option", OPTIONS)
def test_every_file_opens_with_its_reason(option: str) -> None:
    group, _, name = option.partition("=")
    lines = (conf_dir() / group / f"{name}.yaml").read_text("utf-8").splitlines()
    first = next(line for line in lines if not line.startswith("# @"))
    assert first.startswith("# "), "say why one would choose it"
    assert len(first) > 30


def test_presets_say_what_they_mean() -> None:
    quick = compose(["experiment=quick"])
    assert (quick.training.max_epochs, quick.tok2vec["width"], quick.batch["type"]) == (5, 48, "by_sentences")
    treebank = compose(["pipeline=parser", "experiment=treebank"])
    assert (treebank.tok2vec["maxout_pieces"], treebank.optimizer["learn_rate"], treebank.dropout["value"]) == (
        1,
        0.002,
        0.1,
    )
    parser = compose(["pipeline=parser_fast", "experiment=treebank"]).pipeline.components["parser"]
    assert (parser["rnn"], parser["rnn_width"], parser["label_width"], parser["maxout_pieces"]) == ("qrnn", 128, 96, 1)
    recipe = compose(["experiment=recipe", "optimizer.learn_rate=0.002"])
    assert (recipe.dropout["start"], recipe.batch["compound"], recipe.optimizer["learn_rate"]) == (0.6, 1.001, 0.002)


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant",
    [option.partition("=")[2] for option in OPTIONS if option.startswith("variant=") and "recipe" not in option],
)
def test_every_variant_changes_the_recipe(variant: str) -> None:
    recipe, other = (compose(["experiment=recipe", f"variant={name}"]).as_dict() for name in ("recipe", variant))
    changed = {key for key in recipe if recipe[key] != other[key]} - {"output_dir"}
    if variant == "defaults":
        assert changed == {"batch", "dropout", "optimizer"}, "all that a run chooses by its data"
        return
    assert len(changed) == 1, "one element at a time"
    assert changed <= {"batch", "dropout", "optimizer"}


def test_conf_is_found_in_a_checkout_and_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.config import conf_folder as module

    monkeypatch.setattr(module, "__file__", str(tmp_path / "runner" / "config" / "conf_folder.py"))
    for folder in (tmp_path / "conf", tmp_path / "runner" / "conf"):
        folder.mkdir(parents=True)
        (folder / "config.yaml").touch()
        assert module.conf_dir() == folder
