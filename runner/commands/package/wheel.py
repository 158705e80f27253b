"""Write a wheel of pure files: the same files give the same bytes, on every machine and at any time.

Entries are stored, not compressed (weights hardly compress, and compressors differ), sorted, dated 1980 and readable by all.
The format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold
_MODE = (stat.S_IFREG | 0o644) << 16
_UNIX = 3
_WHEEL = "Wheel-Version: 1.0\nGenerator: declarative-runner\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True)
class Wheel:
    """A wheel, in memory.

    name: of the distribution. version: normalized, PEP 440. files: path in the wheel → content, beside dist-info.
    metadata: the text of METADATA. entry_points: the text of entry_points.txt.
    """

    name: str
    version: str
    files: Mapping[str, bytes]
    metadata: str
    entry_points: str

    @property
    def stem(self) -> str:
        """Name and version as file names spell them: `my_model-1.0`."""
        return f"{self.name.replace('-', '_').replace('.', '_').lower()}-{self.version}"

    @property
    def info(self) -> str:
        """The folder of metadata in the wheel."""
        return f"{self.stem}.dist-info"

    @property
    def file_name(self) -> str:
        """The name that the file must have."""
        return f"{self.stem}-py3-none-any.whl"

    def content(self) -> bytes:
        """The bytes of the file."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
            record = []
            for name, data in self._entries():
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")
                record.append(f"{_quoted(name)},sha256={digest},{len(data)}\n")
                _add(archive, name, data)
            name = f"{self.info}/RECORD"
            _add(archive, name, "".join([*record, f"{name},,\n"]).encode("utf8"))
        return content.getvalue()

    def _entries(self) -> list[tuple[str, bytes]]:
        """All entries but RECORD; dist-info comes last, as the format recommends."""
        own = {"METADATA": self.metadata, "WHEEL": _WHEEL, "entry_points.txt": self.entry_points}
        described = [(f"{self.info}/{name}", text.encode("utf8")) for name, text in sorted(own.items()) if text]
        return [*sorted(self.files.items()), *described]


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.create_system, entry.external_attr = _UNIX, _MODE
    archive.writestr(entry, content)


def _quoted(name: str) -> str:
    """A path as a cell of RECORD, which is CSV."""
    return '"' + name.replace('"', '""') + '"' if set(name) & set(',"') else name
