"""What a program passes arrives as it was given, whatever it looks like, and nothing beside it."""

from __future__ import annotations

import pytest
from live import Connect

import pgallop

# Ends of literals and comments, backslashes, line ends, other scripts, what looks like a parameter.
TEXTS = [
    "'; DROP TABLE users; --",
    '"',
    "\\'; SELECT 1",
    "$1",
    "$$",
    "/*",
    "a\nb\tc\r\n",
    "%s {} %(x)s",
    " -c search_path=evil",
    "grüß dich 😀",
    "\x01\x7f\x80",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
async def test_a_setting_arrives_as_it_was_given(connect: Connect, text: str) -> None:
    settings = {"my.text": text, "search_path": "pg_catalog"}
    async with connect(server_settings=settings) as conn:
        assert await conn.fetchval("SELECT current_setting('my.text')") == text
        # And no other setting with it.
        assert await conn.fetchval("SELECT current_setting('search_path')") == "pg_catalog"


@pytest.mark.parametrize("text", [text for text in TEXTS if text.isascii() and text.isprintable()])
async def test_the_name_of_an_application(connect: Connect, text: str) -> None:
    """The server keeps it in ASCII (pg_clean_ascii), so that is what is compared."""
    async with connect(server_settings={"application_name": text}) as conn:
        query = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        assert await conn.fetchval(query) == text


@pytest.mark.parametrize("text", TEXTS)
async def test_an_argument_arrives_as_it_was_given(connect: Connect, text: str) -> None:
    async with connect() as conn:
        assert await conn.fetchval("SELECT $1::text", text) == text
        assert await conn.fetchval("SELECT $1::text[]", [text, None]) == [text, None]
        assert await conn.fetchval("SELECT $1::jsonb", {text: text}) == {text: text}
        assert await conn.fetchval("SELECT $1::bytea", text.encode()) == text.encode()


@pytest.mark.parametrize("name", ["user'; --", 'a"b', "postgres\n", "grün", "-c x=y"])
async def test_names_of_roles_and_databases(connect: Connect, name: str) -> None:
    """The server reads the whole name: it tells which one there is not."""
    with pytest.raises(pgallop.PostgresError) as raised:
        await connect(database=name)
    assert isinstance(raised.value, pgallop.InvalidCatalogNameError)
    assert name in str(raised.value)
    with pytest.raises(pgallop.InvalidAuthorizationSpecificationError) as refused:
        await connect(user=name)
    assert name in str(refused.value)


async def test_the_longest_startup_message(connect: Connect) -> None:
    """As long as we let it be, the server takes it."""
    async with connect() as conn:
        fixed = 5 + sum(
            len(text) + 1
            for pair in {
                "user": await conn.fetchval("SELECT current_user::text"),
                "database": await conn.fetchval("SELECT current_database()::text"),
                "my.text": "",
                "client_encoding": "UTF8",
            }.items()
            for text in pair
        )
    text = "x" * (10_000 - fixed)
    async with connect(server_settings={"my.text": text}) as conn:
        assert await conn.fetchval("SELECT current_setting('my.text')") == text
    with pytest.raises(pgallop.InterfaceError, match="the StartupMessage has 10001 bytes"):
        await connect(server_settings={"my.text": text + "x"})


async def test_a_nul_in_json(connect: Connect) -> None:
    """JSON writes it as an escape, which json keeps and jsonb refuses."""
    async with connect() as conn:
        assert await conn.fetchval("SELECT $1::json", "a\0b") == "a\0b"
        with pytest.raises(pgallop.UntranslatableCharacterError):
            await conn.fetchval("SELECT $1::jsonb", "a\0b")
        assert await conn.fetchval("SELECT 1") == 1
