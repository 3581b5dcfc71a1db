"""`connect`: what it takes, and how it fails."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from drop_in.case import Ask, Session, case, cases


def connecting(**options: Any) -> Any:
    """Connect with these arguments, and ask something."""

    async def ask(s: Session) -> Any:
        conn = await s.apg.connect(**{"dsn": s.dsn, **options})
        try:
            return await conn.fetchval("SELECT 1"), conn.is_closed()
        finally:
            await conn.close()

    return ask


OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"timeout": 5},
    {"timeout": None},
    {"timeout": 0},
    {"timeout": -1},
    {"command_timeout": 5},
    {"command_timeout": 0},
    {"command_timeout": -1},
    {"command_timeout": "5"},
    {"command_timeout": "soon"},
    {"command_timeout": True},
    {"statement_cache_size": 0},
    {"statement_cache_size": -1},
    {"statement_cache_size": True},
    {"statement_cache_size": None},
    {"max_cached_statement_lifetime": 0},
    {"max_cached_statement_lifetime": -1},
    {"max_cacheable_statement_size": -1},
    {"server_settings": {"application_name": "x"}},
    {"server_settings": {"nothing_known": "x"}},
    {"server_settings": {"work_mem": 5}},
    {"server_settings": []},
    {"ssl": False},
    {"ssl": "disable"},
    {"ssl": "prefer"},
    {"ssl": "sometimes"},
    {"connection_class": dict},
    {"record_class": dict},
    {"target_session_attrs": "any"},
    {"target_session_attrs": "primary"},
    {"target_session_attrs": "read-write"},
    {"target_session_attrs": "standby"},
    {"target_session_attrs": "prefer-standby"},
    {"target_session_attrs": "read-only"},
    {"target_session_attrs": "best"},
    {"database": "nowhere"},
    {"user": "nobody_known"},
    {"host": "127.0.0.1", "port": 1},
    {"host": "/nowhere"},
    {"host": "name.invalid"},
    {"port": "no port"},
    {"port": 0},
    {"port": [1, 2]},
    {"nothing": 1},
    {"password": lambda: "x"},
)
cases(
    "connect",
    {
        str({k: "called" if callable(v) else v for k, v in each.items()}): connecting(**each)
        for each in OPTIONS
    },
)
cases(
    "connect",
    {
        f"dsn={dsn}": connecting(dsn=dsn, timeout=5)
        for dsn in (
            "http://localhost/x",
            "postgresql://127.0.0.1:1/x",
            "postgresql://localhost:port/x",
            "postgresql://user@name.invalid/x",
        )
    },
)


@case("connect", "parameters in the DSN become settings of the server")
async def settings_in_dsn(s: Session) -> Any:
    conn = await s.apg.connect(f"{s.dsn}?application_name=dsn&search_path=pg_temp")
    try:
        return await conn.fetchrow(
            "SELECT current_setting('application_name'), current_setting('search_path')"
        )
    finally:
        await conn.close()


@case("connect", "several hosts")
async def several_hosts(s: Session) -> Any:
    port = urlsplit(s.dsn).port
    conn = await s.apg.connect(host=["127.0.0.1", "127.0.0.1"], port=[1, port], user="postgres")
    try:
        return conn._addr[0], conn._addr[1] == port, conn._params.user, conn._params.database
    finally:
        await conn.close()


@case("connect", "a host with its port in a parameter, and the path of a socket")
async def hosts_with_ports(s: Session) -> Any:
    port = urlsplit(s.dsn).port
    folder = (await s.conn.fetchval("SHOW unix_socket_directories")).strip('"')
    places = [f"host=127.0.0.1:1,127.0.0.1:{port}", f"host={folder}/.s.PGSQL.{port}"]
    found = []
    for place in places:
        conn = await s.apg.connect(f"postgresql:///postgres?user=postgres&{place}")
        found.append(str(conn._addr).replace(str(port), "port"))
        await conn.close()
    return found


@case("connect", "a coroutine function for the password")
async def async_password(s: Session) -> Any:
    async def password() -> str:
        return "x"

    return await connecting(password=password)(s)


@case("connect", "connection_class and record_class")
async def classes(s: Session) -> Any:
    class Row(s.apg.Record):  # type: ignore[name-defined, misc]
        pass

    class Conn(s.apg.Connection):  # type: ignore[name-defined, misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.mine = len(args)

    conn = await s.apg.connect(s.dsn, connection_class=Conn, record_class=Row)
    try:
        return type(conn).__name__, conn.mine, await conn.fetchrow("SELECT 1 AS a")
    finally:
        await conn.close()


cases(
    "connect",
    {
        f"{options}": connecting(**options)
        for options in (
            {"passfile": "/nowhere"},
            {"direct_tls": True},
            {"direct_tls": False},
            {"direct_tls": 0},
            {"direct_tls": 1},
            {"password": ""},
            {"ssl": "verify-full"},
            {"ssl": "verify-ca"},
        )
    },
)


def service_file(text: str, **options: Any) -> Ask:
    """Connect as a service in a file of this text says."""

    async def connect(s: Session) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "services")
            path.write_text(text)
            port = urlsplit(s.dsn).port
            dsn = f"postgresql://127.0.0.1:{port}/?service=mine"
            return await connecting(dsn=dsn, servicefile=str(path), **options)(s)

    return connect


cases(
    "connect",
    {
        "a service": service_file("[mine]\nuser=postgres\ndbname=template1"),
        "a service, and arguments": service_file("[mine]\nuser=nobody", user="postgres"),
        "a service with blanks": service_file("[mine]\nuser = postgres\ndatabase = template1"),
        "a service in upper case": service_file("[mine] # that\nUSER=postgres\nDbName=template1"),
        "a service that verifies": service_file("[mine]\nuser=postgres\nSSLMODE=verify-full"),
        "what a service cannot say": service_file("[mine]\nuser=postgres\nwork_mem=1MB"),
    },
)
cases(
    "connect",
    {
        "no such service": connecting(service="nothing"),
        "no such service in a file": service_file("[other]\nuser=postgres", user="postgres"),
    },
    differs="service",
)


def password_file(*lines: str, mode: int = 0o600) -> Ask:
    """Connect with a password file of these lines."""

    async def connect(s: Session) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "passwords")
            path.write_text("\n".join(lines))
            path.chmod(mode)
            parts = urlsplit(s.dsn)
            conn = await s.apg.connect(
                host=parts.hostname, port=parts.port, user="postgres", passfile=path
            )
            try:
                return conn._params.password
            finally:
                await conn.close()

    return connect


cases(
    "connect",
    {
        "a password file": password_file("other:*:*:*:no", "*:*:*:postgres:mine", "*:*:*:*:no"),
        "a password file without this server": password_file("# nothing", "other:*:*:*:no"),
        "an empty password file": password_file(),
        "a password with a colon": password_file(r"*:*:*:*:a:b"),
    },
)


@case("connect", "the system's authorities", differs="system-authorities")
async def system_authorities(s: Session) -> Any:
    return await connecting(dsn=f"{s.dsn}?sslmode=verify-full&sslrootcert=system")(s)


case("connect", "TLS from a server without it", differs="no-tls")(connecting(ssl="require"))


@case("connect", "async with", differs="async-with-connect")
async def async_with(s: Session) -> Any:
    async with s.apg.connect(s.dsn) as conn:
        return await conn.fetchval("SELECT 1")


@case("connect", "another loop")
async def another_loop(s: Session) -> Any:
    import asyncio

    return await connecting(loop=asyncio.get_running_loop())(s)
