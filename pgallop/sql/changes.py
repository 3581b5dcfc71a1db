"""What a statement may change of the things that others were prepared under.

That is the schema, the session's prepared statements, and how its names are resolved. The command
tag tells most of it, and the text the rest. Functions and procedures can hide all of it: what is
remembered of a statement's text may be wrong at any time, and is checked when it is used.
"""

import re
from collections.abc import Sequence

# The first words of statements that change none of it, unless their text says otherwise.
ORDINARY = re.compile(
    "select|insert|update|delete|merge|values|table|with|show|explain|fetch|move|close|declare|lock|"
    "begin|start|savepoint|release|listen|unlisten|notify|copy"
)

_FIRST_WORD = re.compile(r"\s*([a-z]+)", re.IGNORECASE)

# A temporary table hides another one of its name; set_config() is SET as a function.
_RESOLUTION = re.compile(
    r"\b(?:search_path|role|authorization|schema|set_config|temp|temporary|pg_temp\w*|all"
    r"|lc_monetary)\b",
    re.IGNORECASE,
)
# Of these, RESET ALL takes back those that are settings like others, as set_config() may say, too.
_LASTING = re.compile(
    r"\b(?:role|authorization|session_authorization|temp|temporary|pg_temp\w*)\b"
    r"|\bset_config\b(?!\s*\(\s*'\w+'\s*,)",
    re.IGNORECASE,
)
_TEMPORARY = re.compile(r"\b(?:temp|temporary|pg_temp\w*)\b", re.IGNORECASE)
_HIDDEN = re.compile(
    r"\b(?:search_path|set_config|temp|temporary|pg_temp\w*|lc_monetary)\b", re.IGNORECASE
)

# What a text creates, by its name without a schema.
_CREATES = re.compile(r"\bcreate\b|\binto\s+temp", re.IGNORECASE)
_CREATED = re.compile(
    r"\b(?:table|view|sequence|into|function|procedure|aggregate|type|domain)\s+"
    r"(?:if\s+not\s+exists\s+)?(?:temp(?:orary)?\s+)?(?:table\s+)?"
    r'(?:(?:\w+|"[^"]*")\s*\.\s*)?(\w+|"[^"]*")',
    re.IGNORECASE,
)

# What must be in a text for the above to be.
_HIDDEN_HINTS = ("search_path", "set_config", "temp", "lc_monetary")
_ANYARRAY_HINTS = ("pg_stat", "pg_attribute", "anyarray")
_CREATES_HINTS = ("create", "temp")


# From so many characters on, words are looked for only if all their letters are there: to look
# through a megabyte takes an expression 10 ms, a word 0.5 ms, a letter that is nowhere 0.01 ms.
_LONG = 10_000


def has_any(query: str, hints: Sequence[str]) -> bool:
    """Whether one of `hints` is anywhere in `query`, in small letters or others."""
    text = query.lower()
    if len(text) > _LONG:
        hints = [hint for hint in hints if all(letter in text for letter in hint)]
    return any(hint in text for hint in hints)


_SCHEMA_TAGS = ("CREATE", "ALTER", "DROP", "IMPORT", "COMMIT PREPARED")
_SESSION_TAGS = ("SET", "RESET", "DISCARD")


# Those that are one transaction from beginning to end and take no parameters: an error undoes them.
_ONE_TRANSACTION = re.compile("select|insert|update|delete|merge|values|table|with|show")
_PARAMETER = re.compile(r"\$[0-9]")


def is_one_transaction(query: str) -> bool:
    """Whether `query` is certainly undone by an error, and takes no arguments."""
    word = _FIRST_WORD.match(query)
    return (
        word is not None
        and _ONE_TRANSACTION.fullmatch(word[1].lower()) is not None
        and _PARAMETER.search(query) is None
    )


# A value of the type anyarray that has come in binary cannot be turned into text. Such are columns
# of the catalogue only: most_common_vals, histogram_bounds, attmissingval.
_ANYARRAY = re.compile(r"\b(?:pg_stats\w*|pg_statistic\w*|pg_attribute|anyarray)\b", re.IGNORECASE)


def may_return_anyarray(query: str) -> bool:
    """Whether values in the result of `query` may be of the type anyarray."""
    return has_any(query, _ANYARRAY_HINTS) and _ANYARRAY.search(query) is not None


def is_notable(query: str) -> bool:
    """Whether the tag of `query` has to be looked at when it has run."""
    word = _FIRST_WORD.match(query)
    if word is None or ORDINARY.fullmatch(word[1].lower()) is None:
        return True
    return is_hidden(query)


def changes_schema(tag: str, query: str) -> bool:
    """Whether what was described before may have another type now, for all sessions."""
    # Temporary tables are nobody else's, and are made all the time.
    is_private = tag.startswith("CREATE TABLE") and _TEMPORARY.search(query) is not None
    return tag.startswith(_SCHEMA_TAGS) and not is_private


def changes_types(tag: str) -> bool:
    """Whether a type may be another one now, under the same OID.

    What is dropped and created again has a new one. CREATE OR REPLACE VIEW can add columns.
    """
    return tag.startswith(("ALTER", "CREATE VIEW"))


def changes_what_exists(tag: str) -> bool:
    """Whether a statement that was prepared before may be refused now, or return other columns."""
    # Temporary tables come and go all the time.
    return tag.startswith("ALTER") or (
        tag.startswith("DROP") and not tag.startswith(("DROP TABLE", "DROP INDEX", "DROP SEQUENCE"))
    )


def created(query: str) -> set[str]:
    """The names, in small letters, of what `query` may have created.

    A statement that was prepared before goes on to mean what had such a name then, until that is
    changed or search_path is another one: the server does not see that it is hidden now, by a
    temporary table for instance (`RevalidateCachedQuery` in plancache.c).
    """
    if not has_any(query, _CREATES_HINTS) or _CREATES.search(query) is None:
        return set()
    return {name.strip('"').lower() for name in _CREATED.findall(query)}


def changes_resolution(tag: str, query: str) -> bool:
    """Whether the names in a text may mean something else now, in this session."""
    if tag.startswith(_SESSION_TAGS):
        return _RESOLUTION.search(query) is not None
    return is_hidden(query)


def outlasts_settings(query: str) -> bool:
    """Whether what `query` changes of what names mean is still there after RESET ALL."""
    return _LASTING.search(query) is not None


def is_hidden(query: str) -> bool:
    """Whether a statement that seems harmless may change what names mean."""
    return has_any(query, _HIDDEN_HINTS) and _HIDDEN.search(query) is not None


def forgets_statements(tag: str) -> bool:
    """Whether the session has no prepared statements any more."""
    return tag in ("DISCARD ALL", "DEALLOCATE ALL")
