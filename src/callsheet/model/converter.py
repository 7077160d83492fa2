"""Change sets as plain data and back, by one cattrs converter.

An operation is an object whose ``is`` names its kind; ``entity`` is its identity, as a list of type and key. Values
have the form that `callsheet.model.values` gives them. What has its default is left out. Numbers and texts are not
converted: ``"3"`` is not 3. The reader ignores keys that it does not know, so that what a newer version wrote stays
readable.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from operator import eq
from typing import TYPE_CHECKING, Any

from callsheet.model.adjustment import Adjustment, adjustments_from_plain, adjustments_to_plain
from callsheet.model.operation import ChangeSet, Create, Delete, Effect, Operation, Update
from callsheet.model.plain import Malformed
from callsheet.model.record import Identity
from callsheet.model.values import key_in, pack_values, unpack_values

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["changes_from_plain", "changes_to_plain"]

POLICIES = ("raise", "ours", "theirs")


def changes_to_plain(changes: ChangeSet) -> dict[str, Any]:
    """A change set as plain data, all but its commit id, which stands beside it wherever it is kept.

    >>> changes_to_plain(ChangeSet("c", (Delete(Identity("Task", "a"), 3),)))
    {'operations': [{'entity': ['Task', 'a'], 'version': 3, 'is': 'delete'}]}
    """
    plain: dict[str, Any] = _converter().unstructure(changes, ChangeSet)
    return plain


def changes_from_plain(commit_id: str, plain: Any) -> ChangeSet:
    """The change set that `changes_to_plain` was given; `Malformed`, with the place, when it cannot have been.

    >>> changes_from_plain("c", {"operations": [{"is": "delete", "entity": ["Task", "a"], "version": 3}]})
    ChangeSet(commit_id='c', operations=(Delete(identity=Identity(entity_type='Task', key='a'), version=3),), \
parts=0, policy='raise', origin='', effect=None, agree=None)
    """
    from cattrs import BaseValidationError, transform_error

    if not isinstance(plain, dict):
        raise Malformed(f"{plain!r:.80} is no change set")
    try:
        changes = _converter().structure({**plain, "commit_id": commit_id}, ChangeSet)
    except BaseValidationError as error:
        raise Malformed("; ".join(transform_error(error, format_exception=_reason))) from None
    if changes.policy not in POLICIES:
        raise Malformed(f"`{changes.policy}` is no policy; one of {', '.join(f'`{each}`' for each in POLICIES)}")
    return changes


def _reason(error: BaseException, _: type | None) -> str:
    return f"`{error.args[0]}` is missing or unknown" if isinstance(error, KeyError) else str(error)


@cache
def _converter() -> Converter:
    # Made when first used: loading cattrs and building its functions takes longer than opening a session.
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
    from cattrs.strategies import configure_tagged_union

    converter = Converter(omit_if_default=True)
    converter.register_structure_hook(str, _exact)
    converter.register_structure_hook(int, _count)
    converter.register_structure_hook(bool, _exact)
    for form, write, read in (
        (Identity, list, _identity),
        (Effect, _effect_to_plain, _effect),
        (Mapping[str, Any], pack_values, _values),
        (Mapping[str, tuple[Identity, ...]], _members_to_plain, _members),
        (Mapping[str, Adjustment], adjustments_to_plain, _adjustments),
    ):
        converter.register_unstructure_hook_func(partial(eq, form), write)
        converter.register_structure_hook_func(partial(eq, form), read)
    entity = override(rename="entity", omit_if_default=False)
    for operation in (Create, Update, Delete):
        converter.register_unstructure_hook(
            operation, make_dict_unstructure_fn(operation, converter, _cattrs_omit_if_default=True, identity=entity)
        )
        converter.register_structure_hook(operation, make_dict_structure_fn(operation, converter, identity=entity))
    configure_tagged_union(Operation, converter, tag_name="is", tag_generator=lambda kind: kind.__name__.lower())
    without_id = make_dict_unstructure_fn(
        ChangeSet, converter, _cattrs_omit_if_default=True, commit_id=override(omit=True)
    )
    converter.register_unstructure_hook(ChangeSet, without_id)
    return converter


def _exact(value: Any, kind: type) -> Any:
    if type(value) is kind:
        return value
    raise Malformed(f"{value!r:.80} is no {kind.__name__}")


def _count(value: Any, _: Any) -> int:
    number: int = _exact(value, int)
    if not 0 <= number < 2**63:
        raise Malformed(f"{number} is no count: it is negative or takes more than 64 bits")
    return number


def _identity(value: Any, _: Any = None) -> Identity:
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):
        raise Malformed(f"{value!r:.80} is no identity: a list of type and key")
    return Identity(value[0], key_in(value[1]))


def _effect_to_plain(effect: Effect) -> list[Any]:
    return [effect.handler, effect.position, effect.index, effect.lease]


def _effect(value: Any, _: Any) -> Effect:
    if not isinstance(value, list) or [type(part) for part in value] != [str, int, int, str]:
        raise Malformed(f"{value!r:.80} is no effect: a list of handler, position, index and lease")
    return Effect(*value)


def _values(value: Any, _: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{value!r:.80} is no object of values")
    return unpack_values(value)


def _adjustments(value: Any, _: Any) -> dict[str, Adjustment]:
    return adjustments_from_plain(value)


def _members_to_plain(members: Mapping[str, tuple[Identity, ...]]) -> dict[str, Any]:
    return {name: [list(member) for member in found] for name, found in members.items()}


def _members(value: Any, _: Any) -> dict[str, tuple[Identity, ...]]:
    if not isinstance(value, dict) or not all(isinstance(found, list) for found in value.values()):
        raise Malformed(f"{value!r:.80} is no object of lists of identities")
    return {name: tuple([_identity(member) for member in found]) for name, found in value.items()}
