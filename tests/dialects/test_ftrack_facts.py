"""The documents of ftrack's facts agree with each other and with a studio's schema; both halves have their facts."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from callsheet.dialects.ftrack.common.facts import FactNames, FactTable, facts_of
from callsheet.dialects.ftrack.common.schema import TypeList, document_from_vendor
from callsheet.dialects.ftrack.common.wiring import SharedFacts, shared, wiring
from callsheet.dialects.ftrack.server.schema.store_document import store_document
from callsheet.dialects.ftrack.server.schema.store_facts import StoreFacts, store_facts
from callsheet.model.schema import Schema
from dialects.vendor_schema import small_schema
from ftrack.studio_schema import studio_list

DOCUMENTS = ("wiring.toml", "client.toml", "store.toml")
OF_TYPES = {"extends", "views", "labels", "items", "created", "unique", "restricting", "joining", "administrative"}
OF_TYPES |= {"needed"}
BY_ATTRIBUTE = {"indexed", "now", "link_ends", "upwards"}
WORDS = {"because", "configured"}


@cache
def document(name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files("callsheet.dialects.ftrack.data") / name).read_text(encoding="utf-8"))


def names() -> Iterator[tuple[str, str, str]]:
    """Each name that a fact is about, with its document and table."""
    for name in DOCUMENTS:
        for table, facts in document(name).items():
            if table == "pairs":
                yield from ((name, table, side) for sides in facts.values() for side in sides)
            elif table == "mirrors":
                yield from ((name, table, side) for pair in facts.items() for side in pair)
            elif table not in WORDS:
                yield from ((name, table, each) for each in facts)


def known_names() -> set[str]:
    """Types and attributes of the tests' schemas, also those that a reference made of a foreign key has."""
    schema = Schema(document_from_vendor(studio_list()))
    found = set(schema.types)
    for each in (*studio_list(), *small_schema()):
        found |= {f"{each['id']}.{name}" for name in each["properties"]}
    return found | {f"{kind}.{name}" for kind, each in schema.types.items() for name in each.attributes}


def test_every_name_of_a_fact_is_one_of_the_schema() -> None:
    """A name or a pattern that fits nothing of the tests' schemas is a mistake."""
    known = known_names()
    attributes = {name.partition(".")[2] for name in known}
    unknown = []
    for place in names():
        name = place[2]
        fits = name in attributes if place[1] in BY_ATTRIBUTE else any(fnmatchcase(each, name) for each in known)
        typed = "." not in name
        if not fits or (typed != (place[1] in OF_TYPES | BY_ATTRIBUTE) and name != "Status"):
            unknown.append(place)
    assert unknown == []


def test_no_fact_is_stated_twice() -> None:
    """A name stands once in tables that mean the same, and a difference of the store or the client is one."""
    counted = Counter((table, name) for document_name, table, name in names() if document_name == "wiring.toml")
    assert [place for place, count in counted.items() if count > 1] == []
    both = document("wiring.toml")
    for name in ("client.toml", "store.toml"):
        for table in document(name).keys() & both.keys():
            own = document(name)[table]
            assert [each for each in own if each in both[table]] in ([], [*document("store.toml")["foreign_keys"]])
            assert [each for each, fact in own.items() if both[table].get(each) == fact] == []
    store = document("store.toml")
    assert set(store["acting_user"]) & set(store["signed"]) == set()
    stated = {each for _, table, each in names() if table in ("pairs", "mirrors")}
    assert stated & {*both["inverses"], *store["rows"], *store["made"]} == set()
    assert set(store["made"]) & {*store["rows"], *store["pointers"], *both["same"]} == set()


def test_no_foreign_key_follows_from_the_rule() -> None:
    """A key that is the reference's name with `_id` needs no fact; the store keeps two where the schema has others."""
    both, store = document("wiring.toml")["foreign_keys"], document("store.toml")["foreign_keys"]
    ruled = {name: f"{name.partition('.')[2]}_id" for name in both}
    assert {name for name, key in both.items() if key == ruled[name]} == set()
    assert {name: ruled[name] for name in store} == store


def test_every_difference_of_a_half_has_its_reason() -> None:
    """Tables of the client or the store that the other half has too say why they differ."""
    both = set(document("wiring.toml"))
    for name, more in (("client.toml", {"labels", "read_only"}), ("store.toml", {"stored_as"})):
        tables = set(document(name))
        assert set(document(name)["because"]) == (tables & both) | more
        assert all(len(reason.split()) > 5 for reason in document(name)["because"].values())


def lines(family: TypeList, name: str) -> list[str]:
    return [name, *(other for other in family.types if name in family.line(other)[1:])]


def test_every_inverse_exists() -> None:
    """The members of a collection have the attribute that mirrors it, and the mirror of a mirror is itself."""
    family = TypeList(studio_list(), wiring())
    client = Schema(document_from_vendor(studio_list()))
    for name, inverse in shared().all_inverses.facts.items():
        kind, _, collection = name.partition(".")
        owners = [each for each in family.types if fnmatchcase(each, kind) and collection in family.properties(each)]
        assert owners, name
        for owner in owners:
            target = client.type(str(client.types[owner].attributes[collection].target))
            members = [client.types[each] for each in lines(family, target.name)]
            assert inverse == "" or any(inverse in each.attributes for each in members), (owner, collection)
    for one, other in shared().mirrors.facts.items():
        assert shared().all_inverses.facts[other] == one.partition(".")[2]
    assert set(wiring().written_at) == set(shared().mirrors.facts.values())


def test_every_link_row_refers_to_both_of_its_sides() -> None:
    """The type of a pair has a reference to each side, which leads to the owner of the collection there."""
    store = Schema(store_document(studio_list()))
    for rows, sides in document("wiring.toml")["pairs"].items():
        assert len(sides) == 2
        for side, reference in sides.items():
            assert store.types[rows].attributes[reference].target == side.partition(".")[0], (rows, side)
    for name, related in document("store.toml")["rows"].items():
        assert related["near"] in store.types[related["entity_type"]].attributes, name


def test_every_family_exists() -> None:
    """The type above is one of the schema, and no type is below itself."""
    family = TypeList(studio_list(), wiring())
    facts = {**shared().extends.facts, **shared().views.facts, **store_facts().extends.facts}
    assert {above for above in facts.values() if above not in family.types} == set()
    assert all(len(set(family.line(name))) == len(family.line(name)) for name in family.types)
    assert {above for families in store_facts().loose.values() for above in families} <= set(family.types)
    assert store_facts().root_of("Milestone") == "Context"
    ends = ("Context", "Resource", "Asset", "AssetVersion", "Component", "List")
    assert store_facts().orphans[-1] == ("CustomAttributeLink", "to_id", ends)
    assert store_facts().rows_of("AssetCustomAttributeLinkFrom") == "CustomAttributeLink"


@pytest.mark.parametrize(
    ("tables", "kind", "message"),
    [
        ({"inverse": {}}, SharedFacts, "facts.toml: Object contains unknown field `inverse`"),
        ({"extends": {"Shot": 3}}, SharedFacts, r"facts.toml: `Shot` must be a text, not 3 - at `\$.extends`"),
        ({"plain": "Feed"}, SharedFacts, r"facts.toml: this must be a list of names - at `\$.plain`"),
        ({"rows": {"Context.notes": {"near": "x"}}}, StoreFacts, r"required field `entity_type` - at `\$.rows\[...\]`"),
        ({}, StoreFacts, "facts.toml: Object missing required field"),
    ],
)
def test_a_document_of_another_form_is_refused(tables: Mapping[str, Any], kind: type[Any], message: str) -> None:
    """The error names the file and the place in it."""
    with pytest.raises(ValueError, match=message):
        facts_of(tables, kind, "facts.toml")


def test_the_nearest_name_wins_then_the_longest_pattern() -> None:
    """An exact name of an ancestor stands before a pattern, and a longer pattern before a shorter one."""
    table = FactTable({"*.x": "any", "Sho*.x": "longer", "Context.x": "exact", "Note*": "Note"})
    assert table.find(["Shot", "Context"], "x") == "exact"
    assert table.find(["Shot"], "x") == "longer"
    assert table.find(["Task"], "x") == "any"
    assert table.find(["Task"], "y") is None
    assert table.of_type("NoteLabel") == "Note"
    assert table.of_type("Note") is None
    assert FactNames(["Context.y"]).holds(["Shot", "Context"], "y")


def told(half: str, types: Mapping[str, Any]) -> Iterator[str]:
    """A half's document as lines: types with what they are, and attributes that are more than a value."""
    for name, found in sorted(types.items()):
        facts = [f"{key}={value}" for key, value in found.items() if key != "attributes"]
        yield " ".join([half, name, *facts])
        for attribute, each in sorted(found["attributes"].items()):
            more = [f"{key}={each[key]}" for key in sorted(each) if key != "type"]
            if more:
                yield " ".join([f"  {attribute}", each["type"], *more])


def test_both_halves_have_the_tables_they_had() -> None:
    """The documents make the families, relations and columns that clients and existing databases have."""
    client, store = document_from_vendor(studio_list()), store_document(studio_list())
    frozen = Path(__file__).with_name("ftrack_tables.txt").read_text(encoding="utf-8")
    assert [*told("client", client["types"]), *told("store", store["types"])] == frozen.splitlines()


LOADED = """
import sys, tomllib
import callsheet
assert not [name for name in sys.modules if name.startswith("callsheet.dialects.ftrack.")], "imported with the package"
parsed, loads = [], tomllib.loads
tomllib.loads = lambda text: parsed.append(text.splitlines()[0]) or loads(text)
import callsheet.dialects.ftrack.client.dialect
assert not parsed, "read before they are needed"
from callsheet.dialects.ftrack.common.schema import document_from_vendor
document_from_vendor([]), document_from_vendor([])
print(len(parsed), "cattrs" in sys.modules, [name for name in sys.modules if ".ftrack.server" in name])
"""


def test_a_client_reads_its_documents_once_and_not_the_store_s() -> None:
    """Importing the package or the dialect reads nothing, and the first schema reads two documents."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "2 False []\n"), done.stderr
