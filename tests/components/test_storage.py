"""Model folders of strangers, and damaged ones: read or refused, never run, never other weights."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import srsly
import yaml

import runner
from runner import bounded_yaml
from runner.components import storage
from runner.user_code import load_code
from tests.stress.damage import TOK2VEC, flip, outcome, small_model

CODE = """\
from pathlib import Path

from runner import registry
from runner.components.tagger import Tagger

Path(__file__).with_name("was_run").touch()


@registry.components("my_tagger")
def my_tagger(name: str, tok2vec: registry.Tok2VecBlock) -> Tagger:
    return Tagger(name, tok2vec)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder, and what its pipeline says."""
    folder = tmp_path_factory.mktemp("model") / "model"
    nlp = small_model(("tagger", "ner", "textcat"))
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def forged(model, tmp_path):
    """A copy, and a function that replaces files of it and makes all checksums fit again."""
    folder = tmp_path / "forged"
    shutil.copytree(model, folder)

    def forge(meta=None, **files):
        about = json.loads((folder / "meta.json").read_text("utf8"))
        about.update(meta or {})
        for stem, content in files.items():
            name = stem + (".json" if stem == "config" else ".msgpack")
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            (folder / name).write_bytes(data)
            about["file_sha256"][name] = hashlib.sha256(data).hexdigest()
        about["meta_sha256"] = storage._meta_sha256(about)
        (folder / "meta.json").write_text(json.dumps(about), "utf8")
        return folder

    return forge


def config_of(folder):
    return json.loads((folder / "config.json").read_text("utf8"))


def as_format_3(folder, config):
    """Turn a model folder into one of format 3, whose config is YAML."""
    (folder / "config.json").unlink()
    (folder / "config.yaml").write_bytes(config)
    meta = json.loads((folder / "meta.json").read_text("utf8"))
    meta["format"] = 3
    del meta["file_sha256"]["config.json"]
    meta["file_sha256"]["config.yaml"] = hashlib.sha256(config).hexdigest()
    meta["meta_sha256"] = storage._meta_sha256(meta)
    (folder / "meta.json").write_text(json.dumps(meta), "utf8")
    return folder


def test_every_flipped_bit_is_told_or_changes_nothing(model, tmp_path):
    rng = random.Random(0)
    good = outcome(model)
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    n_refused = 0
    for name in sorted(os.listdir(model)):
        for _ in range(15):
            with flip(copy / name, rng):
                try:
                    assert outcome(copy) == good
                except runner.RunnerError as error:
                    n_refused += str(copy) in str(error)
    assert n_refused >= 50
    assert outcome(copy) == good


@pytest.mark.parametrize("key", ["labels", "file_sha256", "format", "lang"])
def test_a_changed_word_of_meta_json_is_told(model, tmp_path, key):
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    meta = json.loads((folder / "meta.json").read_text("utf8"))
    meta["labels"]["ner"] = meta["labels"]["ner"][::-1] if key == "labels" else meta["labels"]["ner"]
    meta[key] = {"file_sha256": {}, "format": 1, "lang": "xx"}.get(key, meta[key])
    (folder / "meta.json").write_text(json.dumps(meta), "utf8")
    with pytest.raises(runner.RunnerError, match=r"meta\.json: (the file is damaged|model format 1 is none of 3 to 6)"):
        runner.load(folder)


def test_a_forged_copy_that_fits_loads(model, forged):
    assert outcome(forged(config=config_of(model))) == outcome(model)


def test_a_model_of_format_3_loads_and_is_saved_as_4(model, forged, tmp_path):
    folder = as_format_3(forged(), yaml.safe_dump(config_of(model), sort_keys=False).encode())
    assert outcome(folder) == outcome(model)
    runner.load(folder).to_disk(tmp_path / "again")
    assert (tmp_path / "again" / "config.json").read_bytes() == (model / "config.json").read_bytes()


def test_no_yaml_is_read_to_load_a_model(model, monkeypatch):
    monkeypatch.setattr(bounded_yaml, "read", None)
    outcome(model)


def many(n):
    return {"lang": "en", "tokenizer": {"type": "syntok"}, "components": {f"c{i}": {"type": "ner"} for i in range(n)}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["components"]["ner"].update(hidden_width=10**9), "size does not fit"),
        (lambda c: c["components"]["ner"]["tok2vec"].update(embed_size=10**7, width=8192), "size does not fit"),
        (lambda c: c["components"]["ner"]["tok2vec"].update(embed_size=10**30), "too large a number"),
        (lambda c: c["components"]["ner"].update(type="os.system"), "unknown component"),
        (lambda c: c["components"]["ner"].update(_target_="os.system"), "takes no '_target_'"),
        (lambda c: c["components"]["tagger"].update(tag_map="/etc/hostname"), "tag map of 'tagger' lies outside"),
        (lambda c: c["components"].update({"ner/tok2vec": c["components"]["ner"]}), "no name of a component"),
        (lambda c: c["components"].update(parser={"type": "parser", "rnn_depth": 10**9}), "at most 64"),
        (lambda c: c["components"].update(x=3), "not a complete model"),
        (lambda c: c.update(components=[1]), "not a complete model"),
        (lambda c: c.update(tokenizer={"type": "nope"}), "unknown tokenizer"),
        (lambda c: c.update(lang=3), "lang"),
        (lambda c: c.update(code="x.py"), "'code' is no list"),
    ],
)  # fmt: skip
def test_a_config_that_asks_for_too_much_is_refused(model, forged, change, message):
    config = config_of(model)
    change(config)
    folder = forged(config=config)
    with pytest.raises(runner.RunnerError, match=message) as caught:
        runner.load(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"a: &a [x, x, x, x, x, x, x, x, x]\n"
        + b"".join(b"b%d: &b%d [%s]\n" % (i, i, b", ".join([b"*b%d" % (i - 1) if i else b"*a"] * 9)) for i in range(12)),
        b"a: &a [*a]\n",
        b"a: " + b"[" * 5000 + b"]" * 5000,
        b"a: !!python/object/apply:os.getcwd []\n",
        b"a: !!bool x\n",
        b"x" * (2 << 20),
        b"\xff\xfe\x00",
        b"",
    ],
    ids=["bomb", "endless", "deep", "python", "tag", "long", "encoding", "empty"],
)  # fmt: skip
def test_hostile_yaml_of_format_3_is_refused(forged, content):
    folder = as_format_3(forged(), content)
    with pytest.raises(runner.RunnerError, match=r"config\.yaml"):
        runner.load(folder)


@pytest.mark.parametrize(
    "content",
    [b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"x" * (5 << 20), b"\xff\xfe\x00", b"", b"[]", b'{"a": 1'],
    ids=["deep", "long", "encoding", "empty", "list", "half"],
)
def test_a_config_that_is_no_json_is_refused(forged, content):
    folder = forged(config=content)
    with pytest.raises(runner.RunnerError, match=r"config\.json"):
        runner.load(folder)


def test_weights_are_numbers_and_nothing_else(model, forged):
    good = srsly.msgpack_loads((model / "weights.msgpack").read_bytes())
    name = next(iter(good))
    hidden = {**good, name: np.zeros(good[name]["shape"], "float32")}  # srsly would make an array of this by itself
    one = good[name]["data"]
    for bad in (
        srsly.msgpack_dumps(hidden),
        srsly.msgpack_dumps({**good, name: {**good[name], "shape": [-1, -len(one) // 4]}}),
        srsly.msgpack_dumps({**good, name: {**good[name], "data": b"\xff" * len(one)}}),  # nan
        srsly.msgpack_dumps({**good, name: {**good[name], "data": [0] * 9}}),
        b"\xdd\xff\xff\xff\xff" * 100,
        b"\x91" * 3000,
    ):
        size = (model / "weights.msgpack").stat().st_size
        with pytest.raises(runner.RunnerError):
            runner.load(forged(weights=bad))
        with pytest.raises(runner.RunnerError, match=r"not a complete model|do not fit|not finite"):
            runner.load(forged(weights=bad + bytes(max(0, size - len(bad)))))


def test_words_and_labels_are_what_they_must_be(model, forged):
    for bad in ({"norms": b"", "counts": bytes(8)}, {"norms": bytes(16), "counts": bytes(16)}, {"norms": 3}, {}):
        with pytest.raises(runner.RunnerError, match="not a complete model"):
            runner.load(forged(lexemes=srsly.msgpack_dumps(bad)))
    shutil.copyfile(model / "lexemes.msgpack", forged().joinpath("lexemes.msgpack"))
    forged(lexemes=(model / "lexemes.msgpack").read_bytes())
    for labels in (3, {}, {"tagger": 3}, {"tagger": ["NN", "NN"], "ner": [], "textcat": []}):
        with pytest.raises(runner.RunnerError, match="not a complete model"):
            runner.load(forged({"labels": labels}))


def test_no_file_outside_the_folder_is_read(forged, tmp_path):
    folder = forged()
    outside = tmp_path / "config.json"
    (folder / "config.json").rename(outside)
    (folder / "config.json").symlink_to(outside)
    with pytest.raises(runner.RunnerError, match=r"config\.json: the file is a link that leads out of the folder"):
        runner.load(folder)
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(folder / "config.json")
    with pytest.raises(runner.RunnerError, match="cannot read"):
        runner.load(folder)
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    with pytest.raises(runner.RunnerError, match="this is no file"):
        runner.load(folder)


def test_an_endless_file_is_not_read(forged):
    folder = forged()
    with open(folder / "meta.json", "r+b") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(runner.RunnerError, match=r"meta\.json: the file has 1,099,511,627,776 bytes"):
        runner.load(folder)


def test_what_could_not_be_read_again_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setitem(storage._MAX_BYTES, "lexemes.msgpack", 50)
    with pytest.raises(runner.RunFailed, match=r"lexemes\.msgpack would have .* more than 50 are not read again"):
        small_model(("ner",)).to_disk(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_long_tag_map_is_saved_and_loaded(tmp_path):
    nlp = runner.blank("en")
    tag_map = {f"TAG{i}": {"pos": "NOUN", "feats": f"Case=C{i}|Number=Sing"} for i in range(20_000)}
    nlp.add_pipe("tagger", {"tok2vec": TOK2VEC, "tag_map": tag_map})
    nlp.initialize()
    nlp.to_disk(tmp_path / "model")
    assert runner.load(tmp_path / "model").get_pipe("tagger").tag_map["TAG19999"] == ("NOUN", "Case=C19999|Number=Sing")


def test_a_model_that_needs_code_is_refused_until_the_caller_gives_it(tmp_path):
    file = tmp_path / "my_tagger.py"
    file.write_text(CODE, "utf8")
    load_code([str(file)])
    small_model(("my_tagger",)).to_disk(tmp_path / "model")
    (tmp_path / "was_run").unlink()
    assert config_of(tmp_path / "model")["code"] == ["my_tagger.py"]  # a name, no place

    def load(how):
        program = f"import runner\ntry:\n    print({how}.pipe_names)\nexcept runner.RunnerError as error: print(error)"
        return subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(Path(runner.__file__).parent.parent)},
        ).stdout  # fmt: skip

    refused = load("runner.load('model')")
    assert "the model cannot be built without Python code of its maker's: my_tagger.py" in refused
    assert "runner.load(path, code=['my_tagger.py'])" in refused
    assert not (tmp_path / "was_run").exists()
    assert load("runner.load('model', code=['my_tagger.py'])") == "['my_tagger']\n"
    assert (tmp_path / "was_run").exists()


def test_code_that_the_model_does_not_need_is_not_asked_for(tmp_path):
    file = tmp_path / "my_unused.py"
    file.write_text("x = 1\n", "utf8")
    load_code([str(file)])
    nlp = small_model(("ner",))
    nlp.to_disk(tmp_path / "model")
    assert "code" not in config_of(tmp_path / "model")
    assert runner.load(tmp_path / "model").pipe_names == ["ner"]


def test_mlflow_runs_no_code_that_a_model_names(tmp_path):
    from runner.tracking.mlflow.flavor import _load_pyfunc

    file = tmp_path / "evil.py"
    file.write_text("raise SystemExit('was run')\n", "utf8")
    small_model(("ner",)).to_disk(tmp_path / "model")
    path = tmp_path / "model"
    config = {**config_of(path), "code": [str(file)]}
    (path / "config.json").write_text(json.dumps(config), "utf8")
    meta = json.loads((path / "meta.json").read_text("utf8"))
    meta["file_sha256"]["config.json"] = hashlib.sha256((path / "config.json").read_bytes()).hexdigest()
    meta["meta_sha256"] = storage._meta_sha256(meta)
    (path / "meta.json").write_text(json.dumps(meta), "utf8")
    with pytest.raises(runner.RunnerError, match="cannot be built without Python code"):
        _load_pyfunc(str(path))


def test_a_model_computes_with_the_ops_asked_for(model):
    pytest.importorskip("numba", reason="the extra numba is not installed")
    text = "Jane Smith bought two houses in London ."
    slow, fast = runner.load(model)(text), runner.load(model, ops="numba")(text)
    assert fast.tags == slow.tags
    assert [(ent.start, ent.end, ent.label) for ent in fast.ents] == [(0, 2, slow.ents[0].label)]
    assert fast.cats == pytest.approx(slow.cats, abs=1e-5)
    with pytest.raises(runner.RunnerError, match="unknown ops 'numbra'; did you mean 'numba'"):
        runner.load(model, ops="numbra")


def test_components_keep_their_order(tmp_path):
    nlp = runner.blank()
    nlp.add_pipe("ner")
    nlp.add_pipe("tagger", first=True)
    nlp.initialize([("Ada slept", {"entities": [(0, 3, "PER")], "tags": ["N", "V"]})])
    nlp.to_disk(tmp_path / "model")
    assert runner.load(tmp_path / "model").pipe_names == nlp.pipe_names == ["tagger", "ner"]
