"""Where SQL is put together: in few places, and never from a value that a program passes.

Arguments travel beside the text of a statement. The sources are searched for every expression that
could make SQL from pieces; each has to be known here, with the reason why it is harmless.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from scripted_server import FAREWELL, WELCOME, ScriptedServer

import pgallop
from pgallop.sql import proof
from pgallop.transaction import ISOLATION_LEVELS

SOURCES: Final = Path(pgallop.__file__).parent

# What a statement begins with, and a part of one behind a semicolon.
COMMANDS: Final = (
    r"ABORT|ALTER|ANALYZE|BEGIN|CALL|CHECKPOINT|CLOSE|CLUSTER|COMMENT|COMMIT|COPY|"
    r"CREATE|DEALLOCATE|DECLARE|DELETE|DISCARD|DO|DROP|END|EXECUTE|EXPLAIN|FETCH|"
    r"FROM|GRANT|IMPORT|INSERT|ISOLATION|LISTEN|LOAD|LOCK|MERGE|MOVE|NOTIFY|"
    r"PREPARE|REASSIGN|REFRESH|REINDEX|RELEASE|RESET|REVOKE|ROLLBACK|SAVEPOINT|"
    r"SECURITY|SELECT|SET|SHOW|START|TABLE|TRUNCATE|UNLISTEN|UPDATE|VACUUM|VALUES|"
    r"WHERE|WITH"
)
SQL: Final = re.compile(rf"(?:^|;)\s*(?:{COMMANDS})\b|;\s*$")
# What holds SQL, by the names that it has in pgallop.
HOLDERS: Final = frozenset(
    {"sql", "_SQL", "query", "begin", "beginning", "prefix", "statement", "savepoint", "_savepoint"}
)
METHODS: Final = frozenset({"format", "format_map", "join", "replace", "translate", "substitute"})

OUR_NAME = "a name of our own, new_savepoint_name(): letters, digits and underscores"
COPY = (
    "COPY takes no parameters: names and texts are quoted, queries kept within parentheses, see "
    "tests/sql/test_copying.py"
)
SHOWN = "words for people, which nobody runs"

KNOWN: Final = {
    ("capabilities.py", "'; '.join([statement for known, statement in statements if known])"): (
        "our own constants"
    ),
    ("catalogue.py", "' '.join(query.split())"): "our own constants",
    ("catalogue.py", "query.replace(f'${i}', literal)"): (
        "for the simple protocol: numbers of types, and names quoted by sql/quoting.py"
    ),
    ("catalogue.py", "'; '.join([*before, query, *behind])"): "the above, and our own constants",
    ("sql/copying.py", "f'COPY {source} TO STDOUT{options.sql()}'"): COPY,
    ("sql/copying.py", "f\"SELECT {', '.join(names) or '*'} FROM {table(name, schema)}\""): COPY,
    ("copying_out.py", "f'SELECT * FROM {copying.table(table_name, schema_name)}'"): COPY,
    ("session/copy_in.py", "f'{begin}; '"): "Transaction._beginning, as in session/simple.py",
    (
        "session/copy_in.py",
        "f\"COPY takes {counted(count, 'column')} of this table, and it has {len(self.codecs)}: "
        "{', '.join(self.names())[:200]}\"",
    ): SHOWN,
    ("sql/copying.py", "f'COPY {target} FROM STDIN{options.sql()}'"): COPY,
    (
        "sql/copying.py",
        "f\"{statement} WHERE {_enclosed(where, 'condition', standard_strings)}\"",
    ): "the caller's own text, within parentheses that it cannot leave: tests/sql/test_copying.py",
    ("listen.py", "f\"{('LISTEN' if listen else 'UNLISTEN')} {channel.identifier}\""): (
        "LISTEN takes no parameters: the name is quoted, sql/quoting.py"
    ),
    ("resetting.py", "f\"SELECT {', '.join(calls)}\""): (
        "settings that the server has reported, quoted by sql/quoting.py"
    ),
    ("resetting.py", "f'{query}\\n; {self._again}'"): "the reset query, and the settings above",
    ("asyncpg/utils.py", "f\"SELECT {', '.join(columns)}\""): (
        "names of types from the catalogue, quoted; the values are parameters"
    ),
    ("sqlalchemy/adapter.py", "f'PREPARE TRANSACTION {quote_literal(xid)}'"): (
        "PREPARE TRANSACTION takes no parameters: the identifier is quoted, sql/quoting.py"
    ),
    ("session/simple.py", "f'{begin}; '"): "Transaction._beginning, made of the words below",
    ("rows/annotations.py", "f'expected {fit.expected}; {inner[0]}'"): SHOWN,
    ("session/execute.py", "f'{error.hint}; '"): SHOWN,
    ("codecs/textsearch.py", "f'{text}:{prefix}{letters}'"): "a part of a tsquery, which was read",
    ("sql/proof.py", "sql.replace(f\"'<{name}>'\", literal)"): "our own constants, at import",
    ("statement.py", "f'EXPLAIN ({options}) {self._handle.query}'"): (
        "EXPLAIN is in front of the caller's own text; the options are constants"
    ),
    ("cursor.py", "f'MOVE FORWARD {n} {self._portal.decode()}'"): (
        "a checked number, and a name of our own, new_portal_name()"
    ),
    (
        "many.py",
        "f'COPY FROM STDIN and TO STDOUT cannot run in {who}: it transfers data beside the query'",
    ): SHOWN,
    ("transaction.py", "f'ISOLATION LEVEL {ISOLATION_LEVELS[self._isolation]}'"): "one of four",
    ("transaction.py", "f'SAVEPOINT {self._savepoint}'"): OUR_NAME,
    ("transaction.py", "f'RELEASE SAVEPOINT {self._savepoint}'"): OUR_NAME,
    (
        "transaction.py",
        "f'ROLLBACK TO SAVEPOINT {self._savepoint}; RELEASE SAVEPOINT {self._savepoint}'",
    ): OUR_NAME,
    ("dispatch.py", "f'the query has to be a str, not {type(query).__name__}'"): SHOWN,
    ("pipeline.py", "f'<{type(self).__name__} {self.query!r} {self.outcome.value}>'"): SHOWN,
    ("pipeline.py", "f'BEGIN failed, so none of the {count} statements ran'"): SHOWN,
    (
        "session/copy_refusal.py",
        "f\"COPY {('FROM STDIN' if into else 'TO STDOUT')} cannot run in fetch() or execute(): "
        'it transfers data beside the query"',
    ): SHOWN,
    (
        "session/execute.py",
        "f'the query is {shown(statement.query)}; pass one value for each of $1, $2, ...'",
    ): SHOWN,
    ("wire/describe.py", "f' statement={statement} sql={sql} types={types}'"): SHOWN,
    (
        "wire/describe.py",
        "f' portal={portal} statement={statement} formats={formats} values={values} "
        "results={results}'",
    ): SHOWN,
    ("cli/demo.py", "'\\n'.join(lines[statement.lineno - 1:statement.end_lineno])"): SHOWN,
    ("cli/installation.py", "'; '.join(obstacles)"): SHOWN,
    ("pipeline.py", "f'; {rest}'"): SHOWN,
    (
        "statement.py",
        "f'<{type(self).__name__} {self._handle.name!r} {self._handle.query!r}>'",
    ): SHOWN,
    (
        "session/pipeline.py",
        "'; '.join([statement.query for statement in notable])",
    ): "looked at, and never sent",
    ("preparing.py", "statement.prepare.riders += 1"): "a number",
    ("traceless.py", "self._seen.get(query, 0) + 1"): "a number",
    ("traceless.py", "length += len(query)"): "a number",
    (
        "pool/closing.py",
        "'; '.join([f'backend {place.connection.get_server_pid()}: {place.story(now)}' "
        "for place in keeper.places])",
    ): SHOWN,
    ("pool/place.py", "f'runs {self.shot.query!r:.80}'"): SHOWN,
    (
        "pool/transactions.py",
        "f'COMMIT was sent and its answer was lost: it may be stored, or not ({error})'",
    ): SHOWN,
}

# What sends SQL, and which of its arguments that is.
SENDERS: Final = {
    "query": 1,  # frontend
    "parse": 2,
    "SimpleQuery": 1,
    "Prepare": 1,
    "control": 0,
    "unattended": 0,
    "carry": 0,
    "script": 0,
    "attempt": 0,
    "run": 0,
}
# What they may be given: the caller's own text as it is, or something that is looked at above.
GIVEN: Final = {
    "query",
    "text",
    "begin",
    "self.query",
    "block.beginning",
    # In front of `begin`, where a subclass calls `carry` of another class.
    "self",
    # The query of a COPY, see sql/copying.py, and the constants of session/texts.py.
    "self.source",
    "sql",
    "harmless.PROOF",
    "TRACELESS",
    "self._rollback_text()",
    "'ROLLBACK'",
    "'DEALLOCATE ALL'",
    "f'SAVEPOINT {self._savepoint}'",
    # A key is the caller's text, or stands for it.
    "key",
    "query_of(key)",
    "self._handle",
    # The pool's, with the caller's text in it; and what its run_transaction() calls.
    "shot",
    "shot.query",
    "connection",
    # The reset query, with the settings of the beginning behind it.
    "script",
    # asyncpg's protocol: a statement that its connection has made; and no SQL, but a timeout.
    "state.key",
    "timeout",
    "f'MOVE FORWARD {n} {self._portal.decode()}'",
    # Constants of session/convert.py, session/execute_many.py, introspect.py and catalogue.py.
    "NO_SQL",
    "UNDO",
    "QUERY",
    "TYPES",
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCES.rglob("*.py")):
        yield path.relative_to(SOURCES).as_posix(), ast.parse(path.read_text("utf-8"))


def puts_together(node: ast.AST) -> bool:
    """Whether the expression makes a text from pieces, as far as can be seen."""
    match node:
        case ast.JoinedStr():
            return any(isinstance(each, ast.FormattedValue) for each in node.values)
        case ast.BinOp(op=ast.Add() | ast.Mod()) | ast.AugAssign(op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(attr=method)):
            return method in METHODS
    return False


def looks_like_sql(node: ast.AST) -> bool:
    for each in ast.walk(node):
        match each:
            case ast.Constant(value=str(text)) if text and SQL.search(text):
                return True
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in HOLDERS:
                return True
    return False


def made(tree: ast.AST) -> Iterator[str]:
    """The expressions that may make SQL, the innermost ones."""
    for node in ast.walk(tree):
        inner = (each for each in ast.walk(node) if each is not node)
        if (
            puts_together(node)
            and looks_like_sql(node)
            and not any(puts_together(each) and looks_like_sql(each) for each in inner)
        ):
            yield ast.unparse(node)


def test_sql_is_put_together_where_it_is_known() -> None:
    found = {(name, text) for name, tree in trees() for text in made(tree)}
    assert found - set(KNOWN) == set()
    assert set(KNOWN) - found == set(), "known, and not there any more"


@pytest.mark.parametrize(
    "source",
    [
        "conn.execute(f'SELECT {value}')",
        "conn.execute('SELECT %s' % value)",
        "conn.execute('SELECT ' + value)",
        "conn.execute('SELECT {}'.format(value))",
        "conn.execute(' '.join(['SET', name, '=', value]))",
        "conn.execute(query + value)",
        "query += f' {value}'",
        "run(f'{words}; {value}')",
        "run(self.sql.replace('$1', value))",
        "run('x; DROP TABLE %s' % value)",
    ],
)
def test_the_search_finds_it(source: str) -> None:
    assert list(made(ast.parse(source)))


def test_nothing_else_is_sent() -> None:
    given = set()
    for path, tree in trees():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=args) if (
                    name in SENDERS and len(args) > SENDERS[name] and not path.startswith("cli/")
                ):
                    given.add(ast.unparse(args[SENDERS[name]]))
    assert given == GIVEN


def test_our_own_words() -> None:
    assert all(re.fullmatch("[A-Z ]+", words) for words in ISOLATION_LEVELS.values())
    assert "<functions>" not in proof.PROOF
    assert "<types>" not in proof.PROOF


@pytest.mark.parametrize(
    "isolation", ["", "SERIALIZABLE", "serializable; DROP TABLE users", "serializable\0", 1, b"x"]
)
async def test_an_isolation_level_is_one_of_four(isolation: Any) -> None:
    with ScriptedServer([*WELCOME, *FAREWELL]) as server:
        conn = await pgallop.connect(
            host=server.host, port=server.port, user="ada", password="x", ssl="disable", timeout=5
        )
        with pytest.raises(ValueError, match="isolation: expected one of"):
            conn.transaction(isolation=isolation)
        await conn.close()
