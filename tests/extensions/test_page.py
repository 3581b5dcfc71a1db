"""docs/extensions.md has every type, and says what the codecs say."""

from __future__ import annotations

from documentation.pages import DOCS, table
from extensions.databases import EXTENSIONS, known

from pgallop.codecs.codec import BINARY
from pgallop.codecs.extensions import CODECS

HEADINGS = ["PostgreSQL", "extension", "read as", "accepted", "format", "notes"]


def test_the_table_is_what_the_codecs_say() -> None:
    heading, *rows = table((DOCS / "extensions.md").read_text("utf-8"), "PostgreSQL")
    assert heading == HEADINGS
    names = [row[0].strip("`") for row in rows]
    assert sorted(names) == sorted(CODECS)
    for name, (_, extension, _, accepted, format, _) in zip(names, rows, strict=True):
        codec = known(name)
        assert accepted.replace("`", "") == codec.accepts
        assert format == ("binary" if codec.format == BINARY else "text")
        assert extension in (*EXTENSIONS, "postgis_raster")
