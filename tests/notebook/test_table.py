"""What a notebook shows of a pipeline."""

from __future__ import annotations

import re

import runner

EVIL = "<img src=x onerror=alert(1)>"


def cells(source: str) -> list[list[str]]:
    """The rows of the table, without markup."""
    rows = re.findall(r"<tr>(.*?)</tr>", source)
    return [
        [re.sub("<[^>]*>", " ", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows
    ]


def test_a_blank_pipeline():
    source = runner.blank("de")._repr_html_()
    assert "<b>Pipeline</b> · de · 0 weights" in source
    assert "no component yet" in source


def test_components_have_labels_weights_and_scores(full_run):
    nlp = runner.load(full_run)
    source = nlp._repr_html_()
    head, *rows = cells(source)
    assert head == ["component", "type", "labels", "weights", "scores on dev"]
    assert [row[0] for row in rows] == list(nlp.components)
    n_weights = [int(row[3].replace(",", "")) for row in rows]
    assert sum(n_weights) == nlp.parameters.weights.size
    assert all(n > 0 for n in n_weights)
    by_name = {row[0]: row for row in rows}
    labels = nlp.get_pipe("tagger").labels
    assert by_name["tagger"][2].startswith(f"{len(labels)}: {labels[0]}")
    assert by_name["tagger"][4] == f"tag_acc {100 * nlp.meta['scores']['tag_acc']:.2f} %"
    assert f"epoch {nlp.meta['epoch']}" in source


def test_what_takes_no_part_is_named(full_run):
    nlp = runner.load(full_run, disable="ner")
    assert [row[0] for row in cells(nlp._repr_html_())[1:] if "switched off" in row[0]] == ["ner (switched off)"]


def test_a_shared_tok2vec_has_a_row_of_its_own():
    nlp = runner.Pipeline(shared_tok2vec=True)
    for name in ("tagger", "ner"):
        nlp.add_pipe(name)
    nlp.initialize([("Ada slept", {"entities": [(0, 3, "PER")], "tags": ["N", "V"]})])
    rows = cells(nlp._repr_html_())
    assert [row[0] for row in rows[1:]] == ["tagger", "ner", "tok2vec"]
    assert sum(int(row[3].replace(",", "")) for row in rows[1:]) == nlp.parameters.weights.size


def test_scores_go_with_the_weights_they_were_measured_on(full_run):
    nlp = runner.load(full_run)
    nlp.get_pipe("tagger").add_label("NEW")
    nlp.update(["Ada"], [{"entities": [(0, 3, "PER")]}])
    assert "tag_acc" not in nlp._repr_html_()


def test_labels_and_names_are_escaped_and_long_lists_cut():
    nlp = runner.blank()
    nlp.add_pipe(EVIL, {"type": "ner"})
    nlp.get_pipe(EVIL).add_labels([EVIL, *(f"L{i}" for i in range(20))])
    source = nlp._repr_html_()
    assert "<img" not in source
    assert "and 13 more" in source
