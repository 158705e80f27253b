"""A short form of the load test: `mlflow models serve` in a process of its own, right and wrong requests at once."""

from __future__ import annotations

import shutil

import pytest

from tests.stress import serving


@pytest.mark.stress
@pytest.mark.slow
@pytest.mark.mlflow
@pytest.mark.skipif(shutil.which("uvicorn") is None, reason="`mlflow models serve` needs uvicorn on the path")
def test_a_server_under_load_answers_right_or_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert serving.run(200, 8, "local", seed=1) == 0
    assert "0 without an answer" in capsys.readouterr().out


def test_a_wrong_answer_is_seen() -> None:
    right = serving.Request("text", b"{}", answer=[{"text": "Ada"}])
    wrong = serving.Request("null", b"{}")
    assert serving.fault(right, 200, b'{"predictions": [{"text": "Ada"}]}') is None
    assert serving.fault(right, 200, b'{"predictions": [{"text": "Lin"}]}') is not None
    assert serving.fault(right, 400, b"the input holds no text at all") is not None
    assert serving.fault(wrong, 400, b"the input holds no text at all") is None
    assert serving.fault(wrong, 200, b'{"predictions": [{"text": "null"}]}') is not None
    assert serving.fault(wrong, 500, b"Internal Server Error, and more") is not None
    assert serving.fault(wrong, 400, b"") is not None
