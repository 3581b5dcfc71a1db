"""Amounts of money, whose digits depend on the session."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from live import Connect
from scripted_server import WELCOME, ScriptedServer, Step, expect, send, stall
from scripts import (
    BIND_COMPLETE,
    PARSE_COMPLETE,
    command_complete,
    data_row,
    parameter_description,
    ready_for_query,
    row_description,
)

import pgallop
from pgallop.codecs._oids import OIDS
from pgallop.codecs.money import MoneyCodec

MONEY = OIDS["money"]
LARGEST = Decimal("92233720368547758.07")

modes = pytest.mark.parametrize("mode", ["named", "unnamed"])


@modes
async def test_both_ways(connect: Connect, mode: str) -> None:
    values = [Decimal("0.00"), Decimal("-0.01"), Decimal("12.30"), LARGEST, -LARGEST]
    async with connect(statement_mode=mode) as conn:
        for _ in range(2):
            for value in values:
                assert str(await conn.fetchval("SELECT $1::money", value)) == str(value)
                assert await conn.fetchval("SELECT $1::money::numeric", value) == value
            assert await conn.fetchval("SELECT $1::money[]", [values, values]) == [values, values]
            row = await conn.fetchrow("SELECT '1.5'::money AS m, NULL::money, ARRAY[]::money[]")
            assert row == (Decimal("1.50"), None, [])


async def test_of_which_nothing_was_known(connect: Connect) -> None:
    """The result has come before anything was asked."""
    async with connect() as conn:
        assert await conn.fetchval("SELECT '1.5'::money") == Decimal("1.50")
        assert await conn.fetchval("SELECT '2.5'::money") == Decimal("2.50")
    async with connect(describe_first=True) as conn:
        assert await conn.fetch("SELECT n::money FROM generate_series(1, 3) n") == [
            (1,),
            (2,),
            (3,),
        ]


async def test_all_other_ways_to_run_a_statement(connect: Connect) -> None:
    async with connect() as conn:
        query = "SELECT $1::money AS m"
        assert await conn.fetchmany(query, [(1,), (2,)]) == [(1,), (2,)]
    async with connect() as conn, conn.transaction():
        assert [row["m"] async for row in conn.cursor(query, 3)] == [3]
    async with connect() as conn:
        statement = await conn.prepare(query)
        assert statement.get_parameters()[0].name == "money"
        assert await statement.fetchval(4) == 4
    async with connect() as conn:
        async with conn.pipeline() as pipeline:
            answers = [pipeline.fetchval(query, n) for n in range(3)]
        assert [answer.result() for answer in answers] == [0, 1, 2]
    async with connect() as conn:
        assert await asyncio.gather(*[conn.fetchval(query, n) for n in range(5)]) == [*range(5)]


async def test_knowledge_is_no_help(connect: Connect) -> None:
    """Another connection has described the statement, and this session may be elsewhere."""
    knowledge = pgallop.Knowledge()
    for _ in range(3):
        async with connect(knowledge=knowledge) as conn:
            assert await conn.fetchval("SELECT $1::money", Decimal("0.25")) == Decimal("0.25")


async def test_what_is_refused(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.DataError, match=r"\$1.*more than 2 digits"):
            await conn.fetchval("SELECT $1::money", Decimal("0.001"))
        assert await conn.fetchval("SELECT $1::money", 1) == 1


async def test_in_a_failed_transaction(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.InFailedSQLTransactionError):
            async with conn.transaction():
                with pytest.raises(pgallop.DivisionByZeroError):
                    await conn.fetchval("SELECT 1/0")
                await conn.fetchval("SELECT $1::money", 1)
        assert await conn.fetchval("SELECT $1::money", 1) == 1


async def test_within_a_row(connect: Connect) -> None:
    async with connect() as conn:
        assert await conn.fetchval("SELECT ROW(1::money)") == (1,)


async def test_the_session_changes(connect: Connect) -> None:
    async with connect() as conn:
        registry = conn._dispatch.registry

        def is_known() -> bool:
            return isinstance(registry.get(MONEY), MoneyCodec)

        assert await conn.fetchval("SELECT $1::money", 1) == 1
        assert is_known()
        for change in ("SET lc_monetary = 'C'", "SELECT set_config('lc_monetary', 'C', false)"):
            await conn.execute(change)
            assert not is_known()
            assert await conn.fetchval("SELECT $1::money", 1) == 1
            assert is_known()
        async with conn.transaction():
            await conn.execute("SET LOCAL lc_monetary = 'C'")
            assert await conn.fetchval("SELECT $1::money", 1) == 1
        assert not is_known()
        await conn.reset()  # as it was when it began, which was asked
        assert is_known()
        assert await conn.fetchval("SELECT $1::money", 1) == 1


async def test_in_the_simple_protocol(connect: Connect) -> None:
    """Nothing is asked there, so an amount is what the server prints."""
    async with connect(statement_mode="simple") as conn:
        assert await conn.fetchval("SELECT 1234.5::money") == "$1,234.50"
        assert await conn.fetchval("SELECT ARRAY[1::money, NULL]") == ["$1.00", None]


# --- sessions in other countries ------------------------------------------------------------------


def described(oid: int = MONEY) -> bytes:
    return parameter_description() + row_description(("m", oid))


def asked(text: str) -> list[Step]:
    """What is asked about amounts, and a server that prints them like this."""
    rows = PARSE_COMPLETE + BIND_COMPLETE + data_row(text.encode())
    return [
        expect("Parse sql='SELECT $1'", "Bind", "Execute", "Sync"),
        send(rows, command_complete("SELECT 1"), ready_for_query()),
    ]


def amount(units: int) -> bytes:
    return data_row(units.to_bytes(8, "big")) + command_complete("SELECT 1")


FIRST: list[Step] = [
    *WELCOME,
    expect("Parse sql='SELECT m'", "Describe", "Sync", "Bind", "Execute", "Sync"),
    send(PARSE_COMPLETE, described(), ready_for_query()),
    send(BIND_COMPLETE, amount(1234), ready_for_query()),
]
AGAIN: list[Step] = [
    expect("Bind", "Execute", "Sync"),
    send(BIND_COMPLETE, amount(1234), ready_for_query()),
]


def connect_to(server: ScriptedServer) -> Any:
    return pgallop.connect(f"postgresql://a@127.0.0.1:{server.port}/a?sslmode=disable")


@pytest.mark.parametrize(
    ("one", "expected"), [("\u00a51", "1234"), ("$0.01", "12.34"), ("0,001 DT", "1.234")]
)
async def test_in_each_country(one: str, expected: str) -> None:
    with ScriptedServer([*FIRST, *asked(one), *AGAIN, *AGAIN, stall()]) as server:
        async with connect_to(server) as conn:
            for _ in range(3):
                assert str(await conn.fetchval("SELECT m")) == expected


async def test_moving_to_another_country() -> None:
    """After SET lc_monetary it is asked again, and what was prepared is prepared again."""
    said = [
        expect("Query"),
        send(command_complete("SET"), ready_for_query()),
        expect("Close", "Parse sql='SELECT m'", "Describe", "Sync", "Bind", "Execute", "Sync"),
        send(b"3\0\0\0\4", PARSE_COMPLETE, described(), ready_for_query()),
        send(BIND_COMPLETE, amount(1234), ready_for_query()),
    ]
    script = [*FIRST, *asked("$0.01"), *AGAIN, *said, *asked("\u00a51"), *AGAIN, stall()]
    with ScriptedServer(script) as server:
        async with connect_to(server) as conn:
            assert [str(await conn.fetchval("SELECT m")) for _ in range(2)] == ["12.34", "12.34"]
            await conn.execute("SET lc_monetary = 'ja_JP'")
            assert [str(await conn.fetchval("SELECT m")) for _ in range(2)] == ["1234", "1234"]


@pytest.mark.parametrize("one", ["", "$0.10", "0.00000000001", "yen"])
async def test_a_server_that_lies(one: str) -> None:
    with ScriptedServer([*FIRST, *asked(one), stall()]) as server:
        conn = await connect_to(server)
        with pytest.raises(pgallop.ProtocolError, match="not the text of the smallest amount"):
            await conn.fetchval("SELECT m")
        assert conn.is_closed()
