"""What a URL stands for, as keywords of connect(); without a server."""

from typing import Any

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pgallop.config.dsn import parse_dsn
from pgallop.sqlalchemy.dialect import PgallopDialect


def options_of(rest: str) -> dict[str, Any]:
    arguments, options = PgallopDialect().create_connect_args(
        make_url(f"postgresql+pgallop:{rest}")
    )
    assert arguments == []
    assert {"json", "codecs"} <= set(options)
    return {name: value for name, value in options.items() if name not in ("json", "codecs")}


@pytest.mark.parametrize(
    ("rest", "options"),
    [
        ("//", {}),
        (
            "//ada:s%40cret@db:5433/shop",
            {"user": "ada", "password": "s@cret", "host": "db", "port": 5433, "database": "shop"},
        ),
        ("///shop?host=/run/postgresql", {"database": "shop", "host": ["/run/postgresql"]}),
        (
            "//db/shop?strict=true&timeout=2.5",
            {"host": "db", "database": "shop", "strict": True, "timeout": 2.5},
        ),
        ("//?statement_mode=unnamed", {"statement_mode": "unnamed"}),
        ("//?prepared_statement_cache_size=0", {"statement_cache_size": 0}),
        ("//?host=a:1&host=b:2", {"host": ["a", "b"], "port": [1, 2]}),
        ("//?host=a,b&port=1,2", {"host": ["a", "b"], "port": [1, 2]}),
        ("//?host=a,b", {"host": ["a", "b"]}),
        ("//?sslmode=require", {"dsn": "sslmode='require'"}),
    ],
)
def test_urls(rest: str, options: dict[str, Any]) -> None:
    assert options_of(rest) == options


def test_parameters_of_libpq_keep_their_values() -> None:
    options = options_of("//?application_name=it's%20a%20%5C&options=-c%20geqo%3Doff")
    assert parse_dsn(options["dsn"]) == {"application_name": "it's a \\", "options": "-c geqo=off"}


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("//?sslmod=require", "'sslmod' is no keyword"),
        ("//?json=orjson", "'json' is no keyword"),
        ("//?statement_cache_size=many", "statement_cache_size='many'"),
        ("//?strict=perhaps", "perhaps"),
        ("//?host=a,b&port=1,2,3", "number of hosts and ports"),
    ],
)
def test_what_cannot_be(rest: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        options_of(rest)
