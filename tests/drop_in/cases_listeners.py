"""Who is told of what: listeners and loggers."""

from __future__ import annotations

import asyncio
from typing import Any

from drop_in.case import Session, case


@case("Connection.add_listener Connection.remove_listener", "notifications")
async def listeners(s: Session) -> Any:
    heard: list[Any] = []

    def listen(conn: Any, pid: int, channel: str, payload: str) -> None:
        heard.append((conn is s.conn, pid == s.conn.get_server_pid(), channel, payload))

    added = await s.conn.add_listener("jobs", listen)
    await s.conn.execute("NOTIFY jobs, 'one'")
    await asyncio.sleep(0.01)
    removed = await s.conn.remove_listener("jobs", listen)
    await s.conn.execute("NOTIFY jobs, 'two'")
    await asyncio.sleep(0.01)
    return added, removed, heard


@case("Connection.add_listener", "a coroutine function")
async def async_listener(s: Session) -> Any:
    heard: list[Any] = []

    async def listen(conn: Any, pid: int, channel: str, payload: str) -> None:
        heard.append(payload)

    await s.conn.add_listener("Jobs", listen)
    await s.conn.execute("NOTIFY \"Jobs\", 'one'")
    await asyncio.sleep(0.01)
    return heard


@case("Connection.add_listener", "nothing that can be called")
async def no_listener(s: Session) -> Any:
    await s.conn.add_listener("jobs", None)


@case("Connection.remove_listener", "an unknown one")
async def unknown_listener(s: Session) -> Any:
    return await s.conn.remove_listener("jobs", print)


@case("Connection.remove_listener", "on a closed connection")
async def remove_from_closed(s: Session) -> Any:
    await s.conn.close()
    return await s.conn.remove_listener("jobs", print)


@case("Connection.add_log_listener Connection.remove_log_listener", "notices")
async def log_listeners(s: Session) -> Any:
    heard: list[Any] = []

    def listen(conn: Any, message: Any) -> None:
        heard.append((type(message).__name__, message.severity, message.message, message.sqlstate))

    s.conn.add_log_listener(listen)
    await s.conn.execute("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")
    await asyncio.sleep(0.01)
    s.conn.remove_log_listener(listen)
    await s.conn.execute("DO $$ BEGIN RAISE NOTICE 'three'; END $$")
    await asyncio.sleep(0.01)
    return heard


@case("Connection.remove_log_listener", "an unknown one")
async def unknown_log_listener(s: Session) -> Any:
    return s.conn.remove_log_listener(print)


@case("Connection.add_termination_listener Connection.remove_termination_listener", "the end")
async def termination_listeners(s: Session) -> Any:
    heard: list[Any] = []
    s.conn.add_termination_listener(lambda conn: heard.append(conn is s.conn))
    s.conn.add_termination_listener(print)
    s.conn.remove_termination_listener(print)
    await s.conn.close()
    await asyncio.sleep(0.01)
    return heard


@case("Connection.add_query_logger Connection.remove_query_logger", "statements")
async def query_loggers(s: Session) -> Any:
    heard: list[Any] = []

    def log(record: Any) -> None:
        heard.append((record.query, record.args, record.timeout, record.exception))

    s.conn.add_query_logger(log)
    await s.conn.fetchval("SELECT $1::int", 1, timeout=3.0)
    await s.conn.execute("SELECT 1")
    try:
        await s.conn.fetch("SELECT 1 / 0")
    except s.apg.DivisionByZeroError as error:
        raised = error
    await asyncio.sleep(0.01)
    s.conn.remove_query_logger(log)
    await s.conn.execute("SELECT 2")
    await asyncio.sleep(0.01)
    return [
        (query, args, timeout, error is not None) for query, args, timeout, error in heard
    ], raised


@case("Connection.query_logger", "for a while")
async def query_logger(s: Session) -> Any:
    heard: list[Any] = []

    async def log(record: Any) -> None:
        heard.append((record.query, record.conn_params.user, record.elapsed >= 0))

    with s.conn.query_logger(log):
        await s.conn.execute("SELECT 1")
        await asyncio.sleep(0.01)
    await s.conn.execute("SELECT 2")
    await asyncio.sleep(0.01)
    return heard
