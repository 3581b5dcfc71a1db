"""What rows can be made into: the fields of a class, or the parameters of anything callable.

Code that is not ours is looked at, and none of its own is run, but the evaluation of annotations.
Libraries are never imported: without them there are no classes of theirs.
"""

import dataclasses
import inspect
import sys
import typing
from collections.abc import Mapping
from types import MemberDescriptorType
from typing import Any, NamedTuple

from pgallop.codecs.codec import shown
from pgallop.errors import InterfaceError
from pgallop.rows.annotations import grounded, name_of
from pgallop.rows.record import Record, check_record_class

# How the objects are made.
TUPLE = "tuple"
LIST = "list"
MAPPING = "mapping"
NAMED_TUPLE = "named tuple"
INSTANCE = "instance"
CALL = "call"
MODEL = "model"
RECORD = "record"

# Makers of defaults that are no code of the program.
HARMLESS = (list, dict, set, tuple, frozenset)

# The code of what dataclasses generates bears this name; nobody's own function can.
GENERATED = "__create_fn__.<locals>."

MISSING: Any = dataclasses.MISSING


class Field(NamedTuple):
    """What takes a value: `columns` are the names of those that it may be in, in this order.

    `required`: there has to be one. `positional`: it can be passed by its place among the others.
    `default`, `factory`: what stands there else, where that is for us to put there.
    """

    name: str
    columns: tuple[str, ...]
    annotation: Any = Any
    required: bool = True
    positional: bool = False
    default: Any = MISSING
    factory: Any = MISSING


class Target(NamedTuple):
    """A class or callable that rows are made into.

    `how`: one of the constants above. `make`: what is called or instantiated. `takes_all`: columns
    without a field are passed under their own name; `ignores`: they are left out. `refused`: why
    columns of these names cannot be taken. `validates`: it checks and converts by itself, and takes
    dicts for nested rows. `runs_code`: making one runs code of the program.
    """

    name: str
    how: str
    make: Any
    fields: tuple[Field, ...] = ()
    variables: Mapping[Any, Any] = {}
    takes_all: bool = False
    ignores: bool = False
    refused: Mapping[str, str] = {}
    validates: bool = False
    runs_code: bool = True


def target_of(into: Any) -> Target:
    """What `into` is.

    Errors raised
        InterfaceError: nothing that rows can be made into, or an annotation of it cannot be
            evaluated.
    """
    kind = typing.get_origin(into) or into
    for plain, how in ((tuple, TUPLE), (list, LIST), (dict, MAPPING)):
        if kind is plain:
            return Target(plain.__name__, how, plain, takes_all=True, runs_code=False)
    if is_record_class(kind):
        check_record_class(kind)
        return Target(kind.__name__, RECORD, kind, takes_all=True, runs_code=False)
    if not callable(kind):
        raise InterfaceError(
            f"into: rows cannot be made into {shown(into)}",
            hint="pass a class, such as a dataclass, or a function whose parameters are named as "
            "the columns",
        )
    return row_class(into) or of_callable(into)


def row_class(into: Any) -> Target | None:
    """What `into` is if it is a class with fields, None if it is not."""
    into = grounded(into, {})
    kind = typing.get_origin(into) or into
    if not isinstance(kind, type):
        return None
    for family in (of_model, of_struct, of_attrs, of_dataclass, of_named_tuple, of_typed_dict):
        target = family(kind)
        if target is not None:
            parameters = getattr(kind, "__parameters__", ())
            arguments = dict(zip(parameters, typing.get_args(into), strict=False))
            return target._replace(name=name_of(into), variables=arguments)
    return None


def of_dataclass(kind: type) -> Target | None:
    """A dataclass; one whose generated `__init__` only sets attributes is made without it."""
    if not dataclasses.is_dataclass(kind):
        return None
    hints = hints_of(kind)
    declared: Mapping[str, Any] = kind.__dataclass_fields__
    columns = {name: each.metadata.get("column", name) for name, each in declared.items()}
    refused = {
        columns[each.name]: f"the field {each.name!r} has init=False"
        for each in dataclasses.fields(kind)
        if not each.init
    }
    if hasattr(kind, "__pydantic_validator__"):
        return of_parameters(kind, {}, columns)._replace(refused=refused, validates=True)
    if not sets_attributes_only(kind):
        return of_parameters(kind, hints, columns)._replace(refused=refused)
    fields = tuple([attribute(kind, each, hints) for each in dataclasses.fields(kind)])
    factories = [each.factory for each in fields if each.factory is not MISSING]
    runs_code = any(factory not in HARMLESS for factory in factories)
    return Target(kind.__name__, INSTANCE, kind, fields, refused=refused, runs_code=runs_code)


def attribute(kind: type, field: "dataclasses.Field[Any]", hints: Mapping[str, Any]) -> Field:
    """A field that is set, by a column or its default, as `__init__` would set it."""
    column = field.metadata.get("column", field.name)
    default, factory = field.default, field.default_factory
    if not field.init and not isinstance(getattr(kind, field.name, None), MemberDescriptorType):
        default = MISSING  # the class has it, and instances need not
    return Field(
        field.name,
        (column,) if field.init else (),
        hints.get(field.name, Any),
        field.init and default is MISSING and factory is MISSING,
        default=default,
        factory=factory,
    )


def sets_attributes_only(kind: Any) -> bool:
    """Whether all that happens to a new instance is that its fields are set."""
    init = kind.__init__
    setter = kind.__setattr__
    # With init=False it would be the one of a class above, for the fields of that.
    owner = next(each for each in kind.__mro__ if "__init__" in vars(each))
    return (
        type(kind).__call__ is type.__call__
        and kind.__new__ is object.__new__
        and is_generated(init, "__init__")
        and own_of(owner).get("__dataclass_fields__") is kind.__dataclass_fields__
        and (setter is object.__setattr__ or is_generated(setter, "__setattr__"))
        and not hasattr(kind, "__post_init__")
        and not inspect.isabstract(kind)
        and all(each._field_type.name == "_FIELD" for each in own_fields(kind))
        and not any(is_property(kind, each.name) for each in dataclasses.fields(kind))
    )


def own_fields(kind: Any) -> list[Any]:
    """All that the dataclass knows of but class variables: its fields, and InitVars."""
    fields = kind.__dataclass_fields__.values()
    return [each for each in fields if each._field_type.name != "_FIELD_CLASSVAR"]


def is_generated(function: Any, name: str) -> bool:
    """Whether the module dataclasses has made this method."""
    code = getattr(function, "__code__", None)
    return getattr(code, "co_qualname", "") == GENERATED + name


def is_property(kind: type, name: str) -> bool:
    """Whether setting this attribute runs code."""
    found = inspect.getattr_static(kind, name, None)
    has_setter = hasattr(type(found), "__set__")  # pyright: ignore[reportUnknownArgumentType]
    return has_setter and not isinstance(found, MemberDescriptorType)


def of_named_tuple(kind: Any) -> Target | None:
    """A NamedTuple; one without a `__new__` of its own is made without it."""
    if not is_kind_of(kind, tuple) or not hasattr(kind, "_field_defaults"):
        return None
    hints = hints_of(kind)
    maker = next(each for each in kind.__mro__ if "__new__" in vars(each))
    plain = (
        "_fields" in vars(maker)
        and kind.__init__ is object.__init__
        and type(kind).__call__ is type.__call__
    )
    if not plain:
        return of_parameters(kind, hints, {})
    fields = [
        Field(
            name,
            (name,),
            hints.get(name, Any),
            name not in kind._field_defaults,
            default=kind._field_defaults.get(name, MISSING),
        )
        for name in kind._fields
    ]
    return Target(kind.__name__, NAMED_TUPLE, kind, tuple(fields), runs_code=False)


def of_typed_dict(kind: Any) -> Target | None:
    """A TypedDict: the keys that it requires and those that it allows."""
    if not (isinstance(getattr(kind, "__total__", None), bool) and is_kind_of(kind, dict)):
        return None
    required = kind.__required_keys__
    fields = [
        Field(name, (name,), hint, is_required(hint, name in required))
        for name, hint in hints_of(kind).items()
    ]
    return Target(kind.__name__, MAPPING, kind, tuple(fields), runs_code=False)


def is_required(hint: Any, otherwise: bool) -> bool:
    """Whether a key is, by its annotation: the class has not looked into one that is a str."""
    while typing.get_origin(hint) is not None:
        name = getattr(typing.get_origin(hint), "_name", "")
        if name in ("Required", "NotRequired"):
            return name == "Required"
        if typing.get_origin(hint) is not typing.Annotated and name != "ReadOnly":
            break
        hint = typing.get_args(hint)[0]
    return otherwise


def of_struct(kind: Any) -> Target | None:
    """A Struct of msgspec; columns may have the name of a field, or that of its encoded form."""
    msgspec = sys.modules.get("msgspec")
    if msgspec is None or not is_kind_of(kind, msgspec.Struct):
        return None
    try:
        infos = msgspec.structs.fields(kind)
    except NameError as error:
        raise unevaluated(kind, error) from error
    fields = [
        Field(
            each.name,
            tuple(dict.fromkeys([each.encode_name, each.name])),
            each.type,
            each.required,
        )
        for each in infos
    ]
    factories = [each.default_factory for each in infos]
    runs_code = hasattr(kind, "__post_init__") or any(
        factory is not msgspec.NODEFAULT and factory not in HARMLESS for factory in factories
    )
    return Target(kind.__name__, CALL, kind, tuple(fields), runs_code=runs_code)


def of_attrs(kind: Any) -> Target | None:
    """A class of attrs: called with what its `__init__` names its fields."""
    attributes = getattr(kind, "__attrs_attrs__", None)
    if attributes is None:
        return None
    resolved = hints_of(kind)
    # A converter takes more than the field has.
    hints = {
        each.alias: Any if each.converter is not None else resolved.get(each.name, Any)
        for each in attributes
    }
    columns = {each.alias: each.metadata.get("column", each.alias) for each in attributes}
    refused = {
        columns[each.alias]: f"the field {each.name!r} has init=False"
        for each in attributes
        if not each.init
    }
    return of_parameters(kind, hints, columns)._replace(refused=refused)


def of_model(kind: Any) -> Target | None:
    """A model of pydantic, which validates the values itself, under the names that it takes."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not is_kind_of(kind, pydantic.BaseModel):
        return None
    if issubclass(kind, pydantic.RootModel):
        # What it validates is the row.
        make = kind.model_validate
        return Target(kind.__name__, MODEL, make, takes_all=True, validates=True)
    config = kind.model_config
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    by_alias = config.get("validate_by_alias", True)
    fields: list[Field] = []
    for name, info in kind.model_fields.items():
        alias = info.validation_alias
        names = [name] if by_name or alias is None or not by_alias else []
        names += aliases(alias) if by_alias else []
        fields.append(Field(name, tuple(dict.fromkeys(names)), Any, info.is_required()))
    extra = config.get("extra")
    return Target(
        kind.__name__,
        MODEL,
        kind.model_validate,
        tuple(fields),
        takes_all=extra == "allow",
        ignores=extra == "ignore",
        validates=True,
    )


def aliases(alias: Any) -> list[str]:
    """The names of columns that an alias of pydantic stands for."""
    if alias is None or isinstance(alias, str):
        return [] if alias is None else [alias]
    return [
        name
        for each in getattr(alias, "choices", [alias])
        for name in [each if isinstance(each, str) else each.path[0]]
    ]


def of_callable(into: Any) -> Target:
    """Anything that can be called, by the names of its parameters."""
    name = "__init__" if isinstance(into, type) else "__call__"
    function = into if inspect.isroutine(into) else getattr(into, name)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, TypeError):
        # Names for type checkers only, or nothing of Python's: what it takes is for it to check.
        hints = {}
    return of_parameters(into, hints, {})


def of_parameters(into: Any, hints: Mapping[str, Any], columns: Mapping[str, str]) -> Target:
    """What is called with a value for each of its parameters.

    `hints`: their types; `columns`: in which columns they are, where that is not their name.
    """
    name = name_of(into) if isinstance(into, type) else getattr(into, "__name__", shown(into, 40))
    try:
        parameters = inspect.signature(into).parameters.values()
    except (ValueError, TypeError) as error:
        raise InterfaceError(
            f"into: what {name} takes cannot be found out: {error}",
            hint="pass a function that names its parameters, such as lambda id, name: ...",
        ) from error
    fields: list[Field] = []
    refused: dict[str, str] = {}
    for each in parameters:
        if each.kind is each.POSITIONAL_ONLY:
            refused[each.name] = f"the parameter {each.name!r} can only be passed by position"
        elif each.kind is not each.VAR_POSITIONAL and each.kind is not each.VAR_KEYWORD:
            column = columns.get(each.name, each.name)
            required = each.default is each.empty
            # Behind one that is left out all others have to be named.
            positional = each.kind is each.POSITIONAL_OR_KEYWORD and not refused
            hint = hints.get(each.name, Any)
            fields.append(Field(each.name, (column,), hint, required, positional))
    takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters)
    demanded = [each for each in parameters if each.name in refused and each.default is each.empty]
    if demanded:
        raise InterfaceError(
            f"into: {refused[demanded[0].name]} of {name}, and columns are passed by name"
        )
    return Target(name, CALL, into, tuple(fields), takes_all=takes_all, refused=refused)


def is_record_class(kind: Any) -> bool:
    """Whether it is Record or a subclass."""
    return isinstance(kind, type) and is_kind_of(kind, Record)


def own_of(kind: Any) -> Mapping[str, Any]:
    """What a class itself has, without what it inherits."""
    own: Mapping[str, Any] = kind.__dict__
    return own


def is_kind_of(kind: Any, base: Any) -> bool:
    """Whether it is a subclass; type checkers shall not take it for one of `base` alone."""
    return issubclass(kind, base)


def hints_of(kind: Any) -> dict[str, Any]:
    """The annotations of a class, evaluated; its own name is known even within a function."""
    nested = {name: each for name, each in own_of(kind).items() if isinstance(each, type)}
    # make_dataclass() declares "typing.Any", wherever that is.
    known = {"typing": typing, **nested, kind.__name__: kind}
    try:
        return typing.get_type_hints(kind, localns=known, include_extras=True)
    except Exception as error:  # whatever evaluating them raises
        raise unevaluated(kind, error) from error


def unevaluated(kind: type, error: Exception) -> InterfaceError:
    return InterfaceError(
        f"into: an annotation of {kind.__name__} cannot be evaluated: {error}",
        hint="import it where it is seen at run time, not under TYPE_CHECKING",
    )
