"""A model with an encoder holds all that it needs: config and tokenizer beside the weights, and no pickle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import srsly

import runner
from runner.components.storage import weights_sha256
from tests.model.encoder.small import write_encoder

TEXTS = [
    ("the cat sat on mats .", {"entities": [(4, 7, "PET")]}),
    ("a dog sat !", {"entities": [(2, 5, "PET")]}),
    ("unbelievable cats , dogs", {"entities": [(13, 17, "PET"), (20, 24, "PET")]}),
]


@pytest.fixture
def nlp(tmp_path: Path) -> Any:
    folder = write_encoder(tmp_path / "encoder", "bert")
    nlp = runner.blank("en")
    beside = {"type": "hash_embed_cnn", "width": 8, "depth": 1}
    nlp.add_pipe("ner", {"tok2vec": {"type": "encoder", "model": str(folder), "beside": beside}})
    nlp.initialize(lambda: TEXTS)
    return nlp


def test_it_learns_by_heart(nlp: Any) -> None:
    sgd = nlp.resume_training()
    sgd.learn_rate = 0.01
    for _ in range(60):
        nlp.update(TEXTS, drop=0.0, sgd=sgd)
    for text, gold in TEXTS:
        assert [(ent.start_char, ent.end_char, ent.label) for ent in nlp(text).ents] == gold["entities"]


def test_a_saved_model_needs_no_other_file(nlp: Any, tmp_path: Path) -> None:
    nlp.update(TEXTS)
    nlp.to_disk(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "config.json", "files.msgpack", "lexemes.msgpack", "meta.json", "weights.msgpack"
    ]  # fmt: skip
    shutil.rmtree(tmp_path / "encoder")
    for again in (runner.load(tmp_path / "model"), runner.blank("en").from_bytes(nlp.to_bytes())):
        assert weights_sha256(again) == weights_sha256(nlp)
        text = "unbelievable dogs sat"
        assert [ent.text for ent in again(text).ents] == [ent.text for ent in nlp(text).ents]
        again.update(TEXTS)  # learning goes on
        again.components["ner"].add_label("TOY")
        again.update(TEXTS)


def test_to_begin_again_it_needs_the_pretrained_weights(nlp: Any, tmp_path: Path) -> None:
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "encoder" / "model.safetensors").unlink()
    again = runner.load(tmp_path / "model")
    with (
        pytest.warns(UserWarning, match="sets the weights"),
        pytest.raises(runner.RunnerError, match="there is no model"),
    ):
        again.initialize(lambda: TEXTS, start_over=True)


def test_a_component_takes_its_encoder_along(nlp: Any, tmp_path: Path) -> None:
    nlp.update(TEXTS)
    shutil.rmtree(tmp_path / "encoder")
    other = runner.blank("en")
    other.add_pipe("ner", source=nlp)
    assert weights_sha256(other) == weights_sha256(nlp)
    other.rename_pipe("ner", "pets")
    other.to_disk(tmp_path / "other")
    assert runner.load(tmp_path / "other").pipe_names == ["pets"]


@pytest.mark.parametrize("how", ["deleted", "changed", "emptied"])
def test_a_model_with_other_files_is_refused(nlp: Any, tmp_path: Path, how: str) -> None:
    """Also where the checksums fit: no file outside of the folder is read in their place."""
    from runner.components.storage import _meta_sha256

    model = tmp_path / "model"
    nlp.to_disk(model)
    meta = json.loads((model / "meta.json").read_text())
    if how == "deleted":
        (model / "files.msgpack").unlink()
    elif how == "changed":
        (model / "files.msgpack").write_bytes(srsly.msgpack_dumps({"components": {}, "contents": {}}))
    else:
        del meta["file_sha256"]["files.msgpack"]
        del meta["meta_sha256"]
        (model / "meta.json").write_text(json.dumps({**meta, "meta_sha256": _meta_sha256(meta)}))
    facts = {"deleted": "cannot read", "changed": "checksum", "emptied": "files of the encoder are not in the model"}
    with pytest.raises(runner.RunnerError, match=facts[how]):
        runner.load(model)


def test_two_components_keep_one_copy(nlp: Any, tmp_path: Path) -> None:
    nlp.add_pipe("tagger", {"tok2vec": nlp.blocks["ner"]["tok2vec"]})
    nlp.components["tagger"].add_labels(["N", "V"])
    nlp.resume_training()
    nlp.to_disk(tmp_path / "model")
    carried = srsly.msgpack_loads((tmp_path / "model" / "files.msgpack").read_bytes())
    assert (len(carried["contents"]), sorted(carried["components"])) == (2, ["ner", "tagger"])
    assert runner.load(tmp_path / "model").pipe_names == ["ner", "tagger"]


def test_the_same_seed_gives_the_same_bits(nlp: Any, tmp_path: Path) -> None:
    other = runner.blank("en")
    other.add_pipe("ner", {"tok2vec": nlp.blocks["ner"]["tok2vec"]})
    other.initialize(lambda: TEXTS)
    for pipeline in (nlp, other):
        for _ in range(3):
            pipeline.update(TEXTS, drop=0.2)
    assert np.array_equal(nlp.parameters.weights, other.parameters.weights)


def test_word_vectors_beside_the_encoder_go_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_encoder(tmp_path / "encoder", "bert")
    (tmp_path / "words.vec").write_text("cat 0.1 0.2\ndog 0.3 -0.4\n")
    beside = {"type": "hash_embed_cnn", "width": 8, "depth": 1, "vectors": str(tmp_path / "words.vec")}
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": {"type": "encoder", "model": str(folder), "beside": beside}})
    nlp.initialize(lambda: TEXTS)
    nlp.update(TEXTS)
    nlp.to_disk(tmp_path / "model")
    shutil.rmtree(tmp_path / "encoder")
    (tmp_path / "words.vec").unlink()
    assert weights_sha256(runner.load(tmp_path / "model")) == weights_sha256(nlp)
    for text, _ in TEXTS:
        assert runner.load(tmp_path / "model")(text).to_json() == nlp(text).to_json()


def test_an_encoder_below_the_cnn_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_encoder(tmp_path / "encoder", "bert")
    (tmp_path / "words.vec").write_text("cat 0.1 0.2\ndog 0.3 -0.4\n")
    context = {"type": "encoder", "model": str(folder), "train": False, "pooling": "mean"}
    block = {
        "type": "hash_embed_cnn",
        "width": 8,
        "depth": 1,
        "context": context,
        "vectors": str(tmp_path / "words.vec"),
    }
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": block})
    sgd = nlp.initialize(lambda: TEXTS)
    sgd.learn_rate = 0.01
    for _ in range(60):
        nlp.update(TEXTS, drop=0.0, sgd=sgd)
    nlp.to_disk(tmp_path / "model")
    shutil.rmtree(tmp_path / "encoder")
    (tmp_path / "words.vec").unlink()
    again = runner.load(tmp_path / "model")
    assert weights_sha256(again) == weights_sha256(nlp)
    for text, gold in TEXTS:
        assert [(ent.start_char, ent.end_char, ent.label) for ent in again(text).ents] == gold["entities"]


def test_an_encoder_that_does_not_learn_is_saved_and_loaded_like_any(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder", "bert")
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": {"type": "encoder", "model": str(folder), "train": [1]}})
    sgd = nlp.initialize(lambda: TEXTS)
    before = {path: value.copy() for path, value in nlp.parameters.all_values().items()}
    for _ in range(3):
        nlp.update(TEXTS, drop=0.1, sgd=sgd)
    after = nlp.parameters.all_values()
    moved = {path.split("/")[3] for path, value in after.items() if "encoder" in path and (value != before[path]).any()}
    assert moved == {"layer1"}
    nlp.to_disk(tmp_path / "model")
    again = runner.load(tmp_path / "model")
    assert weights_sha256(again) == weights_sha256(nlp)
    other = runner.blank("en")
    other.add_pipe("ner", source=again)
    assert weights_sha256(other) == weights_sha256(nlp)
    with nlp.use_params(sgd.averages):
        nlp.to_disk(tmp_path / "averaged")
    assert weights_sha256(runner.load(tmp_path / "averaged")) != weights_sha256(nlp)


def test_a_package_of_it_names_the_library_that_reads_its_tokenizer(nlp: Any, tmp_path: Path) -> None:
    from runner.tracking.mlflow.carried import config_of, libraries_of

    nlp.to_disk(tmp_path / "model")
    assert list(libraries_of(config_of(tmp_path / "model"))) == ["tokenizers"]
