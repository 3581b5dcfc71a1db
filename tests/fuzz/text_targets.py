"""Text: connection strings, SQL with its command tags, and the messages of SCRAM."""

from __future__ import annotations

import base64

import scripts
from fuzz.grammar import Words
from fuzz.session_targets import MAX_ITERATIONS, PASSWORD
from fuzz.target import Outcome, Target, Wrong

from pgallop.auth.scram import ScramClient, compute_proofs, derive_salted_password
from pgallop.config.options import resolve
from pgallop.config.parameters import PARAMETERS
from pgallop.errors import (
    ClientConfigurationError,
    ProtocolError,
    UnsupportedClientFeatureError,
)
from pgallop.session.outcomes import judge
from pgallop.sql.harmless import candidate
from pgallop.sql.lexer import tokenize

# --- connection strings, which are the user's -----------------------------------------------------

DSNS = [
    b"postgresql://ada:l%40velace@[::1]:5433,db:5432/shop?sslmode=require&connect_timeout=3",
    b"postgres:///?host=/run/postgresql&user=ada&options=-cgeqo=off&application_name=a%20b",
    b"host=/tmp,localhost port=5432,5433 user=ada password='two \\' words' dbname=shop",
    b"POSTGRESQL://%C3%BC@/%E2%82%AC?keepalives=0&keepalives_idle=60&tcp_user_timeout=1",
    b"user = ada  database=shop client_encoding=utf8 sslmode=disable keepalives_count = 3",
    b"postgresql://a,b,c:1,,3/x?target_session_attrs=any&ssl=true",
    b"",
]
DSN_WORDS = [
    *(name.encode() + b"=" for name in PARAMETERS),
    *(b"postgresql://", b"://", b"%00", b"%zz", b"%F0%9F", b"[", b"]", b"@", b",", b"'", b"\\"),
    *(b"&", b"?", b"=", b"/", b" ", b"\0", "é".encode(), b"\xff", b"99999999999", b"-1", b"/tmp"),
]


def read_dsn(data: bytes) -> Outcome:
    text = data.decode("utf-8", "surrogateescape")
    options = resolve(
        text, environ={}, default_user=lambda: "me", socket_directories=("/run/postgresql",)
    )
    return Outcome("options", options)


# --- statements and the tags that answer them, a line each ----------------------------------------

SQL = [
    b"BEGIN\nBEGIN\nINSERT INTO t VALUES ('a''b', $1, 1.5e3)\nINSERT 0 1\nCOMMIT\nCOMMIT",
    b"SELECT 1 /* a /* nested */ comment */ -- and a line\nSELECT 1\nCALL p()\nCALL",
    b'SAVEPOINT "a ""b"""\nSAVEPOINT\nSELECT $$ $x$ $$, $x$ $$ $x$\nSELECT 1\nROLLBACK TO a\n',
    b"SELECT E'\\'\\n', U&'\\0041', B'01', x'ff'\nSELECT 1\nRELEASE SAVEPOINT s\nRELEASE",
    "WITH a AS (SELECT größe FROM t WHERE a->>'b' @> 1_000) SELECT * FROM a\nSELECT 0".encode(),
    b"CREATE INDEX CONCURRENTLY i ON t (a)\nCREATE INDEX\nPREPARE TRANSACTION 'x'\nROLLBACK",
    b"commit and chain\nCOMMIT\n;;(select\nSELECT\nEND\nROLLBACK\nabort work\nROLLBACK",
]
SQL_WORDS = [
    *(b"BEGIN", b"COMMIT", b"ROLLBACK", b"SAVEPOINT a", b"RELEASE a", b" TO ", b"CALL ", b"VACUUM"),
    *(b"SELECT ", b"PREPARE TRANSACTION ", b" AND CHAIN", b"START ", b"DO ", b"INSERT 0 1"),
    *(b"'", b'"', b"$$", b"$a$", b"/*", b"*/", b"--", b"\n", b"\r", b"\\", b"E'", b"U&'", b";"),
    *(b"1e", b"0x", b"1.", b"..", b"::", b"@>", b"$1", b"\0", "é".encode(), b"\xff", b"("),
]


def judge_sql(data: bytes) -> Outcome:
    """All tokens together are the text, and every statement has an outcome."""
    text = data.decode("utf-8", "replace")
    for standard in (True, False):
        tokens = tokenize(text, standard_conforming_strings=standard)
        if "".join(token.text for token in tokens) != text:
            raise Wrong("the tokens do not cover the text")
    lines = text.split("\n")
    queries, tags = lines[::2], [line.encode() for line in lines[1::2]]
    failed = len(queries) > len(tags)
    status = b"ITE\0"[len(text) % 4]
    major = 13 + len(text) % 6
    verdict = judge(
        queries, tags, failed=failed, in_block=not status, status=status, server_major=major
    )
    if len(verdict.outcomes) != len(queries):
        raise Wrong(f"{len(queries)} statements have {len(verdict.outcomes)} outcomes")
    found = candidate(text)
    return Outcome("judged", [verdict, found and found.parameters(), tokens])


# --- SCRAM: the server-first-message, a line feed, the server-final-message -----------------------

NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER = b"r=" + NONCE.encode() + b"server,s=W22ZaJ0SNY7soEsUEjb6gQ==,i="
SCRAM_WORDS = [
    *(b"r=", b"s=", b"i=", b"v=", b"e=", b"m=", b"x=", b",", b"=", b"\n", NONCE.encode()),
    *(b"1", b"0", b"16", b"17", b"99999999999", b"-1", b"AA==", b"A", b"\0", b"\xff", b"+", b"e="),
]


def prove(data: bytes) -> Outcome:
    """Only a server that knows the password gets to the end."""
    first, _, final = data.partition(b"\n")
    client = ScramClient(PASSWORD, nonce=NONCE, max_iterations=MAX_ITERATIONS)
    bare = client.client_first().removeprefix(b"n,,")
    parameters = client.receive_server_first(first)
    key = derive_salted_password(PASSWORD, parameters)
    without_proof = client.client_final(key).partition(b",p=")[0]
    client.receive_server_final(final)
    _, signature = compute_proofs(key, b",".join([bare, first, without_proof]))
    if final.split(b",")[0] != b"v=" + base64.b64encode(signature) or not client.verified:
        raise Wrong(f"not proved by {final!r}")
    return Outcome("verified", parameters)


def proofs() -> list[bytes]:
    seeds = [SERVER + b"1\ne=other-error", SERVER + b"4096\nv=AA=="]
    for salt, count in ((b"\0", 1), (b"NaCl" * 9, 2), (b"salt", MAX_ITERATIONS)):
        server = scripts.ScramServer(PASSWORD, salt, count)
        client = ScramClient(PASSWORD, nonce=NONCE, max_iterations=MAX_ITERATIONS)
        initial = client.client_first()
        first = server.first(b"SCRAM-SHA-256\0" + len(initial).to_bytes(4) + initial)
        key = derive_salted_password(PASSWORD, client.receive_server_first(first))
        final = server.final(client.client_final(key))
        seeds += [first + b"\n" + final, first + b"\n" + final + b",x=ignored"]
    return seeds


TARGETS = [
    Target(
        name="dsn",
        run=read_dsn,
        raises=(ClientConfigurationError, UnsupportedClientFeatureError),
        seeds=lambda: DSNS,
        grammar=Words(DSN_WORDS),
    ),
    Target(
        name="sql",
        run=judge_sql,
        seeds=lambda: SQL,
        grammar=Words(SQL_WORDS),
    ),
    Target(
        name="scram",
        run=prove,
        raises=(ProtocolError,),
        seeds=proofs,
        grammar=Words(SCRAM_WORDS),
    ),
]
