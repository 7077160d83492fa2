"""Change sets, and what became of entities, as plain data and back, by one cattrs converter.

Change sets are so on the native wire, in journals and in staged parts; changes of entities in the server's log.

An operation is an object whose ``is`` names its kind; ``entity`` is the identity, as a list of type and key. Values
have the form that `callsheet.model.values` gives them. What has its default is left out. Numbers and texts are not
converted: ``"3"`` is not 3. A reader of what is kept ignores keys that it does not know, so that what a newer version
wrote stays readable. A ``strict`` one, of requests, refuses them: their sender counts on them.

Reading ends at the first operation that is at fault, so that a request costs no more for having many faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from operator import eq
from typing import TYPE_CHECKING, Any, TypeVar

from callsheet.model.adjustment import Adjustment, adjustments_from_plain, adjustments_to_plain
from callsheet.model.history import EntityChange
from callsheet.model.operation import ChangeSet, Create, Delete, Effect, Operation, Update
from callsheet.model.plain import Malformed
from callsheet.model.record import Identity
from callsheet.model.scalar import INTEGER_LIMIT, shown
from callsheet.model.table_steps import Step, steps_from_plain, steps_to_plain
from callsheet.model.values import key_in, pack, pack_values, unpack, unpack_values

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = [
    "changes_from_plain",
    "changes_to_plain",
    "entity_changes_from_plain",
    "entity_changes_to_plain",
    "operations_from_plain",
    "operations_to_plain",
]

POLICIES = ("raise", "ours", "theirs")
SHOWN = 400
"""Characters of a reason. Names in it may be as long as the request."""
T = TypeVar("T")


def operations_to_plain(operations: Sequence[Operation]) -> list[dict[str, Any]]:
    """Operations as plain data.

    >>> operations_to_plain([Delete(Identity("Task", "a"), 3)])
    [{'entity': ['Task', 'a'], 'version': 3, 'is': 'delete'}]
    """
    write = _converter().get_unstructure_hook(Operation)
    return [write(operation) for operation in operations]


def operations_from_plain(plain: Any, strict: bool = False) -> tuple[Operation, ...]:
    """The operations that `operations_to_plain` was given; `Malformed`, with the place, when they cannot have been."""
    return _read(plain, tuple[Operation, ...], strict, "$.operations")


def changes_to_plain(changes: ChangeSet) -> dict[str, Any]:
    """A change set as plain data, all but its commit id, which stands beside it wherever it is kept.

    >>> changes_to_plain(ChangeSet("c", (Delete(Identity("Task", "a"), 3),)))
    {'operations': [{'entity': ['Task', 'a'], 'version': 3, 'is': 'delete'}]}
    """
    plain: dict[str, Any] = _converter().unstructure(changes, ChangeSet)
    return plain


def changes_from_plain(commit_id: str, plain: Any, strict: bool = False) -> ChangeSet:
    """The change set that `changes_to_plain` was given; `Malformed`, with the place, when it cannot have been.

    >>> changes_from_plain("c", {"operations": [{"is": "delete", "entity": ["Task", "a"], "version": 3}]})
    ChangeSet(commit_id='c', operations=(Delete(identity=Identity(entity_type='Task', key='a'), version=3),), \
parts=0, policy='raise', origin='', effect=None, agree=None, steps=())
    """
    if not isinstance(plain, dict):
        raise Malformed(f"{plain!r:.80} is no change set")
    if strict and "commit_id" in plain:
        raise Malformed("unknown `commit_id`: it stands beside a change set")
    changes = _read({**plain, "commit_id": commit_id}, ChangeSet, strict)
    if changes.policy not in POLICIES:
        raise Malformed(f"`{changes.policy:.40}` is no policy; one of {', '.join(f'`{each}`' for each in POLICIES)}")
    return changes


def entity_changes_to_plain(changes: Iterable[EntityChange]) -> list[dict[str, Any]]:
    """What became of entities, as plain data.

    >>> entity_changes_to_plain([EntityChange(Identity("Task", "a"), "update", 3, {"bid": 1.0}, {"bid": 1.5})])
    [{'entity': ['Task', 'a'], 'kind': 'update', 'previous': 3, 'before': {'bid': 1.0}, 'after': {'bid': 1.5}}]
    """
    write = _converter().get_unstructure_hook(EntityChange)
    return [write(change) for change in changes]


def entity_changes_from_plain(plain: Iterable[Any]) -> tuple[EntityChange, ...]:
    """What `entity_changes_to_plain` was given. The server reads what it wrote; cattrs' errors are faults."""
    read = _converter().get_structure_hook(EntityChange)
    return tuple([read(each, EntityChange) for each in plain])


def _read(plain: Any, form: type[T], strict: bool, path: str = "$") -> T:
    from cattrs import BaseValidationError, transform_error

    try:
        return _converter(strict).structure(plain, form)
    except BaseValidationError as error:
        raise Malformed("; ".join(transform_error(error, path, _reason))) from None


def _reason(error: BaseException, _: type | None) -> str:
    from cattrs import ForbiddenExtraKeysError

    if isinstance(error, ForbiddenExtraKeysError):
        reason = f"unknown `{min(error.extra_fields)}`"
    else:
        reason = f"`{error.args[0]}` is missing or unknown" if isinstance(error, KeyError) else str(error)
    return f"{reason:.{SHOWN}}"


@cache
def _converter(strict: bool = False) -> Converter:
    # Made when first used: loading cattrs and building its functions takes longer than opening a session.
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
    from cattrs.strategies import configure_tagged_union

    converter = Converter(omit_if_default=True, forbid_extra_keys=strict)
    converter.register_structure_hook(str, _exact)
    converter.register_structure_hook(int, _count)
    converter.register_structure_hook(bool, _exact)
    for form, write, read in (
        (Identity, list, _identity),
        (Effect, _effect_to_plain, _effect),
        (Mapping[str, Any], pack_values, _values),
        (Mapping[str, tuple[Identity, ...]], _members_to_plain, _members),
        (tuple[Step, ...], _steps_to_plain, _steps),
        (Mapping[str, Adjustment], adjustments_to_plain, partial(_adjustments, strict)),
    ):
        converter.register_unstructure_hook_func(partial(eq, form), write)
        converter.register_structure_hook_func(partial(eq, form), read)
    entity = override(rename="entity", omit_if_default=False)
    for kind in (Create, Update, Delete, EntityChange):
        converter.register_unstructure_hook(
            kind, make_dict_unstructure_fn(kind, converter, _cattrs_omit_if_default=True, identity=entity)
        )
        converter.register_structure_hook(kind, make_dict_structure_fn(kind, converter, identity=entity))
    configure_tagged_union(Operation, converter, tag_name="is", tag_generator=lambda kind: kind.__name__.lower())
    one: Callable[[Any, Any], Operation] = converter.get_structure_hook(Operation)
    converter.register_structure_hook_func(partial(eq, tuple[Operation, ...]), partial(_operations, one))
    without_id = make_dict_unstructure_fn(
        ChangeSet, converter, _cattrs_omit_if_default=True, commit_id=override(omit=True)
    )
    converter.register_unstructure_hook(ChangeSet, without_id)
    return converter


def _operations(read: Callable[[Any, Any], Operation], plain: Any, _: Any) -> tuple[Operation, ...]:
    if not isinstance(plain, list):
        raise Malformed(f"{plain!r:.80} is no list of operations")
    found: list[Operation] = []
    try:
        for each in plain:
            found.append(read(each, Operation))
    except Exception as error:
        raise _placed(error, len(found), plain[len(found)]) from None
    return tuple(found)


def _placed(error: Exception, index: int, plain: Any) -> Exception:
    """What is wrong with one operation, with its place among them."""
    from cattrs.errors import AttributeValidationNote, ClassValidationError, IterableValidationError
    from cattrs.errors import IterableValidationNote as Note

    if not isinstance(plain, dict):
        error = Malformed(f"{plain!r:.80} is no operation")
    elif isinstance(error, KeyError):  # Of the kinds; what an operation lacks is in a group.
        error.add_note(AttributeValidationNote("the kind", "is", Operation))
        error = ClassValidationError("an operation", [error], type(plain))
    error.add_note(Note("an operation", index, Operation))
    return IterableValidationError("the operations", [error], tuple)


def _exact(value: Any, kind: type) -> Any:
    if type(value) is kind:
        return value
    raise Malformed(f"{shown(value)} is no {kind.__name__}")


def _count(value: Any, _: Any = None) -> int:
    number: int = _exact(value, int)
    if not 0 <= number < INTEGER_LIMIT:
        raise Malformed(f"{shown(number)} is no count: it is negative or takes more than 64 bits")
    return number


def _identity(value: Any, _: Any = None) -> Identity:
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):
        raise Malformed(f"{value!r:.80} is no identity: a list of type and key")
    return Identity(value[0], key_in(value[1]))


def _steps_to_plain(steps: tuple[Step, ...]) -> Any:
    return pack(steps_to_plain(steps))


def _steps(value: Any, _: Any) -> tuple[Step, ...]:
    return tuple(steps_from_plain(unpack(value)))


def _effect_to_plain(effect: Effect) -> list[Any]:
    return [effect.handler, effect.position, effect.index, effect.lease]


def _effect(value: Any, _: Any) -> Effect:
    if not isinstance(value, list) or [type(part) for part in value] != [str, int, int, str]:
        raise Malformed(f"{value!r:.80} is no effect: a list of handler, position, index and lease")
    handler, position, index, lease = value
    return Effect(handler, _count(position), _count(index), lease)


def _values(value: Any, _: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{value!r:.80} is no object of values")
    return unpack_values(value)


def _adjustments(strict: bool, value: Any, _: Any) -> dict[str, Adjustment]:
    return adjustments_from_plain(value, strict)


def _members_to_plain(members: Mapping[str, tuple[Identity, ...]]) -> dict[str, Any]:
    return {name: [list(member) for member in found] for name, found in members.items()}


def _members(value: Any, _: Any) -> dict[str, tuple[Identity, ...]]:
    if not isinstance(value, dict) or not all(isinstance(found, list) for found in value.values()):
        raise Malformed(f"{value!r:.80} is no object of lists of identities")
    return {name: tuple([_identity(member) for member in found]) for name, found in value.items()}
