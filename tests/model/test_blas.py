"""BLAS computes with a pipeline's number of threads while it predicts or learns, and with the host's afterwards."""

from __future__ import annotations

from threading import Thread

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import runner
from runner.model.blas import blas_threads
from tests.components.test_pipeline import TRAIN_DATA, small_ner


def now():
    """Of numpy's library, which computes here; other tests may have brought more into the process."""
    return {
        info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas" and "numpy" in info["filepath"]
    }


@pytest.fixture
def host():
    """A process whose own products take three threads."""
    with threadpool_limits(3, user_api="blas"):
        if now() != {3}:
            pytest.skip("this BLAS does not take a number of threads")
        yield


def watched(**settings):
    """A pipeline, and the number of threads at each of its predictions and updates."""
    nlp = runner.blank(**settings)
    component = nlp.add_pipe("ner", small_ner())
    seen = []
    annotate, update = component.annotate, component.update
    component.annotate = lambda batch: seen.append(now()) or annotate(batch)
    component.update = lambda batch, examples: seen.append(now()) or update(batch, examples)
    return nlp, seen


@pytest.mark.parametrize(("threads", "expected"), [(1, {1}), (2, {2}), (None, {3})])
def test_predict_and_update_have_their_own_number_and_the_host_keeps_its(host, tmp_path, threads, expected):
    nlp, seen = watched(threads=threads)
    texts, annotations = zip(*TRAIN_DATA, strict=True)
    nlp.update(texts, annotations)
    nlp("Tom likes the Andes")
    for _ in nlp.pipe(texts):
        assert now() == {3}
    assert seen == [expected] * 3
    assert now() == {3}
    nlp.to_disk(tmp_path / "model")
    assert runner.load(tmp_path / "model", threads=threads).threads == threads


def test_one_thread_is_the_default(host, tmp_path):
    nlp, seen = watched()
    nlp.update(*zip(*TRAIN_DATA, strict=True))
    nlp.to_disk(tmp_path / "model")
    assert (seen, runner.load(tmp_path / "model").threads) == ([{1}], 1)


def test_calls_that_overlap_have_one_number_until_the_last_has_ended(host):
    first, second = blas_threads(1), blas_threads(1)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert now() == {1}
    second.__exit__(None, None, None)
    assert now() == {3}


def test_the_number_comes_back_after_an_error_and_what_the_host_set_meanwhile_stays(host):
    nlp, _ = watched()
    nlp.get_pipe("ner").add_label("ORG")
    nlp.get_pipe("ner").annotate = lambda batch: 1 / 0
    with pytest.raises(ZeroDivisionError):
        nlp("Tom likes the Andes")
    assert now() == {3}
    nlp.get_pipe("ner").annotate = lambda batch: threadpool_limits(2, user_api="blas")
    nlp("Tom likes the Andes")
    assert now() == {2}


def test_no_threads_are_refused():
    with pytest.raises(runner.RunnerError, match="threads is 0; it must be at least 1"):
        runner.blank(threads=0)


def test_a_thread_beside_the_main_one_has_its_number_too(host):
    """threadpoolctl gives a library to the first thread that sets its number, which here is the main one."""
    found = []

    def work():
        with blas_threads(1):
            found.append(now())
        found.append(now())

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert found == [{1}, {3}]
