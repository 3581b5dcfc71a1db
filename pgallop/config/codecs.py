"""What connect() was told about values: `out_of_range`, `json`, `vectors` and `geometry`."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from typing import Any, Final, Literal, TypeAlias, cast

from pgallop.codecs.choices import (
    GEOMETRY,
    LIMITED,
    POLICIES,
    RAISE,
    VECTORS,
    CodecChoices,
    JsonFunctions,
)
from pgallop.config.sources import Given
from pgallop.errors import ClientConfigurationError

__all__ = ["Geometry", "Json", "OutOfRange", "Policy", "Vectors", "resolve_codecs"]

Policy: TypeAlias = Literal["raise", "clamp", "text"]
OutOfRange: TypeAlias = Policy | Mapping[str, Policy]
Json: TypeAlias = (
    Literal["stdlib", "orjson", "msgspec"]
    | tuple[Callable[[Any], str | bytes], Callable[[str], Any]]
)

Vectors: TypeAlias = Literal["list", "numpy"]
Geometry: TypeAlias = Literal["bytes", "shapely"]

_POLICIES: Final = '"raise", "clamp" or "text"'


def resolve_codecs(
    out_of_range: object, json: object, vectors: object = "list", geometry: object = "bytes"
) -> CodecChoices:
    """Return the choices, from these arguments of connect().

    Args:
        out_of_range: what to do about a value that Python does not have: "raise", "clamp" or
            "text", or a mapping of names of types to these.
        json: "stdlib", "orjson", "msgspec", or a pair of functions (dumps, loads).
        vectors: "list" or "numpy".
        geometry: "bytes" or "shapely".

    Raises:
        ClientConfigurationError: one of them is something else, or the library is not installed.

    Example:
        >>> resolve_codecs({"date": "text"}, "stdlib").out_of_range
        (('date', 'text'),)
    """
    return CodecChoices(
        _out_of_range(out_of_range),
        _json(json),
        vectors=_one_of(Given("vectors", vectors), VECTORS),
        geometry=_one_of(Given("geometry", geometry), GEOMETRY),
    )


def _one_of(given: Given, choices: tuple[str, str]) -> str:
    """The default, or a library of that name."""
    default, library = choices
    if not isinstance(given.value, str) or given.value not in choices:
        raise given.bad(f'"{default}" or "{library}"')
    if given.value == default:
        return default
    try:
        import_module(library)
    except ImportError as error:
        raise _missing(given.origin, library, error) from error
    return library


def _out_of_range(value: object) -> tuple[tuple[str, str], ...]:
    given = Given("out_of_range", value)
    if isinstance(value, str) and value in POLICIES:
        policies: dict[object, object] = dict.fromkeys(LIMITED, value)
    elif isinstance(value, Mapping):
        policies = dict(cast("Mapping[object, object]", value))
    else:
        raise given.bad(f"{_POLICIES}, or a mapping of types to these")
    chosen: list[tuple[str, str]] = []
    for name, policy in policies.items():
        if not isinstance(name, str) or name not in LIMITED:
            raise given.part(name).bad(f"the names of types among {', '.join(LIMITED)}")
        if not isinstance(policy, str) or policy not in POLICIES:
            raise Given(f'{given.origin}["{name}"]', policy).bad(_POLICIES)
        if policy != RAISE:
            # An enum's member and the like are no exact str.
            chosen.append((str.__str__(name), str.__str__(policy)))
    # In one order, so that equal choices share what is made of them.
    return tuple(sorted(chosen))


def _json(value: object) -> JsonFunctions | None:
    given = Given("json", value)
    if isinstance(value, str):
        if value == "stdlib":
            return None
        if value in ("orjson", "msgspec"):
            return _library(str.__str__(value))
    if isinstance(value, (tuple, list)):
        functions = cast("Sequence[Any]", value)
        if len(functions) == 2 and all(map(callable, functions)):
            return JsonFunctions(*map(_hashable, functions))
    raise given.bad('"stdlib", "orjson", "msgspec" or a pair of functions (dumps, loads)')


@cache
def _library(name: str) -> JsonFunctions:
    """The functions of a library, which are the faster if they are given bytes.

    A small document takes orjson 0.27 us from bytes and 0.32 us from a str, msgspec 0.19 and 0.23;
    with letters beyond ASCII a fourth is saved. json.loads is slower with bytes.
    """
    try:
        library = import_module(name)
    except ImportError as error:
        raise _missing("json", name, error) from error
    if name == "orjson":
        return JsonFunctions(library.dumps, library.loads, takes_bytes=True)
    json = library.json
    return JsonFunctions(json.Encoder().encode, json.Decoder().decode, takes_bytes=True)


def _missing(option: str, library: str, error: ImportError) -> ClientConfigurationError:
    return ClientConfigurationError(
        f'{option}: "{library}" is not installed ({error}): python -m pip install {library}'
    )


def _hashable(function: Any) -> Any:
    """What makes choices equal that are the same; a partial is hashable whatever it calls."""
    return function if isinstance(function, Hashable) else partial(function)
