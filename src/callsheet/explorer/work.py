"""What work on an entity is, by its schema: a type below it with a step, a status, and people who are assigned.

In the production schema that is a `Task` of a `Shot`: its step is its `type`, its people those of its `assignments`.
"""

from __future__ import annotations

from attrs import frozen

from callsheet.model.schema import Attribute, EntityType, Schema

__all__ = ["AssignedBy", "WorkType", "is_status", "work_of"]

USUAL = ("Task",)
"""Types that the schemas of productions have for work; where there are some, no others of the same shape are meant."""
STEPS = ("type", "step")
DATES = ("due_date", "due", "end_date")


@frozen
class AssignedBy:
    """A type whose entities join a piece of work (``work``) with somebody (``person``, shown by ``label``).

    ``people`` is the type of those who are users, whose own label stands for those without the other.
    """

    type: str
    work: str
    person: str
    target: str
    label: str
    people: str
    people_label: str


@frozen
class WorkType:
    """A type of work: ``parent`` refers to what it is for, ``step`` and ``status`` to theirs; ``due`` may be empty."""

    type: str
    parent: str
    step: str
    step_type: str
    step_label: str
    status: str
    status_type: str
    status_label: str
    due: str
    assigning: AssignedBy | None


def work_of(schema: Schema, entity_type: EntityType, wanted: str = "") -> WorkType | None:
    """The work on entities of a type: of the type ``wanted``, else the usual one; None if the schema has none."""
    if entity_type.name in USUAL:
        return None
    found = [work for each in entity_type.attributes.values() for work in _below(schema, each)]
    if wanted:
        return next((each for each in found if each.type == wanted), None)
    if any(name in schema.types for name in USUAL):
        found = [each for each in found if each.type in USUAL]
    others = [each for each in found if each.assigning is not None and each.type != entity_type.name]
    return next(iter(others), None)


def is_status(schema: Schema, attribute: Attribute) -> bool:
    """Whether a reference leads to statuses: they have a state, which has a short name."""
    if attribute.kind != "reference" or str(attribute.target) not in schema.types:
        return False
    state = schema.type(str(attribute.target)).attributes.get("state")
    if state is None or state.kind != "reference":
        return False
    return "short" in schema.type(str(state.target)).attributes


def _below(schema: Schema, collection: Attribute) -> list[WorkType]:
    if collection.kind != "collection" or not collection.inverse:
        return []
    made = [_work(schema, schema.types[name], collection.inverse) for name in schema.concrete(str(collection.target))]
    return [each for each in made if each is not None]


def _work(schema: Schema, entity_type: EntityType, parent: str) -> WorkType | None:
    attributes = entity_type.attributes
    up = attributes.get(parent)
    status = next((each for each in attributes.values() if is_status(schema, each)), None)
    step = next((attributes[name] for name in STEPS if _is_step(schema, attributes.get(name))), None)
    if up is None or up.kind != "reference" or status is None or step is None:
        return None
    due = next((name for name in DATES if name in attributes and attributes[name].data_type == "date"), "")
    steps, statuses = schema.type(str(step.target)), schema.type(str(status.target))
    return WorkType(
        entity_type.name,
        parent,
        step.name,
        steps.name,
        steps.label,
        status.name,
        statuses.name,
        statuses.label,
        due,
        _assigning(schema, entity_type),
    )


def _is_step(schema: Schema, attribute: Attribute | None) -> bool:
    if attribute is None or attribute.kind != "reference" or is_status(schema, attribute):
        return False
    target = schema.type(str(attribute.target))
    label = target.attributes.get(target.label)
    return not target.abstract and label is not None and label.data_type == "string"


def _assigning(schema: Schema, entity_type: EntityType) -> AssignedBy | None:
    """The first collection of a type that joins the work with somebody: two references, both needed."""
    for each in entity_type.attributes.values():
        if each.kind != "collection" or not each.inverse:
            continue
        between = schema.type(str(each.target))
        needed = [one for one in between.attributes.values() if one.kind == "reference" and one.required]
        others = [one for one in needed if one.name != each.inverse]
        users = _users(schema, str(others[0].target)) if len(needed) == 2 and len(others) == 1 else None
        if users is not None:
            target = schema.type(str(others[0].target))
            return AssignedBy(
                between.name, each.inverse, others[0].name, target.name, target.label, users.name, users.label
            )
    return None


def _users(schema: Schema, name: str) -> EntityType | None:
    """The type of users among those of a type: they have a user's name."""
    found = (schema.types[each] for each in schema.concrete(name))
    return next((each for each in found if "username" in each.attributes), None)
