"""Damaged encodings, and texts that only look like it."""

from __future__ import annotations

import pytest

from runner.corpus.encoding import encoding_faults, mojibake


class TestEncoding:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("cafÃ© olÃ©", ["Ã©", "Ã©"]),
            ("itâ€™s", ["â€™"]),
            ("ðŸ˜€!", ["ðŸ˜€"]),
            ("Â£5", ["Â£"]),
            ("Ärger, São Paulo, Âge, naïve, Ã la carte, œuvre", []),
            ("plain", []),
        ],
    )
    def test_mojibake_and_what_only_looks_like_it(self, text, found):
        assert mojibake(text) == found

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("a\ufffdb", "replacement characters"),
            ("\ufeffa", "byte order marks"),
            ("a\x07b", "control characters"),
            ("a\x85b", "control characters"),
            ("a\ud83d", "lone surrogates"),
        ],
    )
    def test_each_fault_alone(self, text, name):
        assert encoding_faults(text) == {name: 1}

    def test_a_good_text_has_none(self):
        assert encoding_faults("Zoë’s 👩‍🚀 — fine\ttoo\n") == {}
