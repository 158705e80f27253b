"""The encoder beside PyTorch's numbers: reference.json holds vectors that transformers computed (reference.py)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.model.encoder.reference import FILE, KEPT, SENTENCES
from tests.model.encoder.small import CONFIGS, TEXTS, write_encoder
from tests.model.encoder.test_encoder import MINILM, made, needs_minilm, tokens

REFERENCE = json.loads(FILE.read_text("utf8"))


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_architecture_gives_pytorchs_numbers(kind: str, tmp_path: Path) -> None:
    model, _ = made(write_encoder(tmp_path, kind))
    given = model.predict(tokens(*TEXTS)).X.T
    np.testing.assert_allclose(given, np.concatenate(REFERENCE[kind]), atol=2e-5)


@needs_minilm
def test_minilm_gives_pytorchs_numbers() -> None:
    model, _ = made(MINILM)
    given = model.predict(tokens(*SENTENCES)).X.T
    np.testing.assert_allclose(given[:, :KEPT], np.concatenate(REFERENCE["minilm"]), atol=2e-5)
