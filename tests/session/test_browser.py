"""`session.browse("Sample")`: many entities at once, on a laboratory."""

from __future__ import annotations

import asyncio
import difflib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import AsyncBrowser, AsyncSession, Browser, Session
from callsheet.core.name_search import close_matches, search
from callsheet.errors import ForbiddenRequest, QueryError, SchemaError, StateError, UsageError
from callsheet.session.connection import over
from callsheet.testing import memory_service
from dialects.embedded import Direct, session_over

KINDS, SAMPLES = 40, 40


@pytest.fixture(scope="module")
def service() -> Iterator[Any]:
    """Forty samples, each of a kind of its own with two fields; P2 and P3 were made from P1, P4 from P2."""
    service = memory_service("lab")
    with Session(connection=over(service.backend("admin"))) as session:
        samples = []
        for number in range(SAMPLES):
            kind = session.SampleType.new(name=f"Kind {number:02}")
            for name in ("length", "colour"):
                session.FieldType.new(name=name, sample_type=kind)
            samples.append(
                session.Sample.new(
                    name=f"P{number}",
                    sample_type=kind,
                    project="odd" if number % 2 else "even",
                    description=f"$x_{number}",
                )
            )
        samples[2]["parents"].append(samples[1])
        samples[3]["parents"].append(samples[1])
        samples[4]["parents"].append(samples[2])
        session.commit()
    yield service
    service.close()


@pytest.fixture
def lab(service: Any) -> Iterator[Session]:
    with Session(connection=over(service.backend("admin"))) as session:
        yield session


@pytest.fixture
def own_lab() -> Iterator[Session]:
    """A laboratory with nothing in it, for tests that fill it."""
    service = memory_service("lab")
    with Session(connection=over(service.backend("admin"))) as session:
        yield session
    service.close()


def names(found: Any) -> list[str]:
    return [each["name"] for each in found]


def test_nested_relations_of_many_entities_cost_two_requests_where_lazy_reads_take_81(lab: Session) -> None:
    """One request reads forty samples, one their types and fields; read one by one, each sample costs two."""
    browser = lab.browse("Sample")
    assert isinstance(browser, Browser)
    assert repr(browser) == "<Browser 'Sample'>"
    lab.statistics.reset()
    samples = browser.all()
    found = browser.get(samples, {"sample_type": {"field_types": []}})
    assert lab.statistics.requests == 2
    assert list(found) == ["sample_type", "sample_type.field_types"]
    assert (len(found["sample_type"]), len(found["sample_type.field_types"])) == (KINDS, 2 * KINDS)
    read = {each["sample_type"]["name"]: sorted(names(each["sample_type"]["field_types"])) for each in samples}
    assert read == {f"Kind {number:02}": ["colour", "length"] for number in range(KINDS)}
    browser.get(samples, {"sample_type": {"field_types": []}})
    assert lab.statistics.requests == 2
    lazy = lab.fork()
    lazy.open()
    lazy.statistics.reset()
    with lazy.auto_populating("one"):
        for each in lazy.query("Sample").all():
            assert each["sample_type"]["name"]
            assert len(each["sample_type"]["field_types"]) == 2
    assert lazy.statistics.requests == 81


def test_relations_that_lead_to_nothing_are_known_to_lead_to_nothing(lab: Session) -> None:
    """No sample has an item: that is loaded too, and reading it sends nothing."""
    samples = lab.Sample.all()
    assert lab.browse("Sample").get(samples, ["items", "owner", "derived.items"])["items"] == []
    lab.statistics.reset()
    assert [list(each["items"]) for each in samples] == [[]] * SAMPLES
    assert {each["owner"] for each in samples} == {None}
    assert lab.statistics.requests == 0


def test_get_gives_each_entity_once_under_its_own_path(lab: Session) -> None:
    """The same attribute at two depths is two lists; one text gives one list; nothing given means all."""
    browser = lab.browse("Sample where name in ('P1', 'P2')")
    found = browser.get(relations={"derived": {"derived": {}}, "sample_type": ["samples"]})
    assert sorted(names(found["derived"])) == ["P2", "P3", "P4"]
    assert names(found["derived.derived"]) == ["P4"]
    assert sorted(names(found["sample_type.samples"])) == ["P1", "P2"]
    (one,) = browser.where(name="P2").all()
    assert names(browser.get(one, "sample_type")) == ["Kind 02"]
    assert names(browser.get(lab.query("Sample where name is P2"), "parents . sample_type")) == ["Kind 01"]
    assert browser.get([], ["sample_type.field_types"]) == {"sample_type": [], "sample_type.field_types": []}


def test_a_new_entity_and_a_pending_change_are_seen(lab: Session) -> None:
    """`get` never overwrites what is pending, as a cache would."""
    sample = lab.Sample.find_by_name("P5")
    assert sample is not None
    sample["description"] = "mine"
    new = lab.Sample.new(name="new", sample_type=sample["sample_type"])
    found = lab.browse("Sample").get([sample, new, sample], {"sample_type": {"samples": []}})
    assert names(found["sample_type"]) == ["Kind 05"]
    assert set(names(found["sample_type.samples"])) == {"P5", "new"}
    assert sample["description"] == "mine"
    assert sample.state == "modified"


def test_wrong_relations_are_named_with_what_was_meant(lab: Session) -> None:
    """At any depth, also if there are no entities."""
    browser = lab.browse("Sample")
    for entities in (lab.Sample.first(2), []):
        with pytest.raises(SchemaError, match=r"SampleType has no attribute `feild_types`; did you mean `field_types`"):
            browser.get(entities, {"sample_type": {"feild_types": []}})
    with pytest.raises(SchemaError, match=r"Sample\.name is no relation"):
        browser.get(None, "name")
    with pytest.raises(UsageError, match="takes entities, not 'P1'"):
        browser.get("P1", "sample_type")
    with pytest.raises(UsageError, match="takes entities"):
        browser.get([None], "sample_type")
    with pytest.raises(StateError, match="another session"):
        browser.get(lab.fork().Sample.first(), "sample_type")
    with pytest.raises(StateError, match="another session"):
        browser.get(lab.fork().query("Sample"), "sample_type")


def test_search_finds_a_regular_expression_in_names(lab: Session) -> None:
    """As `re.search` does, ignoring case unless it is told not to; the order is that of the query."""
    browser = lab.browse("Sample")
    assert names(browser.search(r"^p1\d$")) == [f"P1{digit}" for digit in range(10)]
    assert browser.search(r"^p1\d$", ignore_case=False) == []
    assert names(browser.search(re.compile("^P[12]$"))) == ["P1", "P2"]
    assert names(browser.where(project="odd").search(r"^P[1-4]$")) == ["P1", "P3"]
    ordered = lab.browse(lab.query("Sample order by name descending limit 3"))
    assert names(ordered.search("P")) == ["P9", "P8", "P7"]
    assert names(browser.search("kind 0[78]", attribute="sample_type.name")) == ["P7", "P8"]
    assert names(browser.search(r"\$x_7", "description")) == ["P7"]
    assert len(browser.search("")) == SAMPLES


def test_search_reads_names_as_a_column_and_makes_entities_of_matches_only(service: Any) -> None:
    """Pages are of bounded size: forty names by ten are four requests, and one more for what matches."""
    with Session(connection=over(service.backend("admin")), page_size=10) as session:
        session.open()
        session.statistics.reset()
        found = session.browse("Sample").search("^P7$")
        assert session.statistics.requests == 5
        assert [each for each in session.identities if each.entity_type == "Sample"] == found
        session.statistics.reset()
        assert session.browse("Sample").search("nothing") == []
        assert session.statistics.requests == 4


def test_close_matches_are_those_of_difflib_the_best_first(lab: Session) -> None:
    """Whatever the size of pages; a cutoff and a number bound them."""
    browser = lab.browse("Sample")
    everything = [each["name"] for each in lab.Sample.all()]
    assert names(browser.close_matches("P12", number=1)) == ["P12"]
    assert names(browser.close_matches("p12", number=1)) == ["P12"]
    assert browser.close_matches("q", ignore_case=False) == []
    found = browser.close_matches("P12", number=7, cutoff=0.3, ignore_case=False)
    ratio = lambda name: difflib.SequenceMatcher(None, name, "P12").ratio()  # noqa: E731
    best = sorted((ratio(name) for name in everything), reverse=True)[:7]
    assert [ratio(each["name"]) for each in found] == best
    assert names(browser.close_matches("Kind 33", 1, attribute="sample_type.name")) == ["P33"]


@given(name=st.text(alphabet="pP123 ", max_size=6), number=st.integers(1, 5), cutoff=st.sampled_from([0, 0.3, 0.6, 1]))
def test_close_matches_equal_brute_force(service: Any, name: str, number: int, cutoff: float) -> None:
    """The likeness of what is found is that of the most alike of all names, for any name, number and cutoff."""
    with Session(connection=over(service.backend("admin")), page_size=7) as session:
        ratio = lambda each: difflib.SequenceMatcher(None, each, name).ratio()  # noqa: E731
        best = sorted((ratio(f"P{place}") for place in range(SAMPLES)), reverse=True)
        found = session.browse("Sample").close_matches(name, number, cutoff, ignore_case=False)
        assert [ratio(each["name"]) for each in found] == [each for each in best if each >= cutoff][:number]


@pytest.mark.parametrize(
    ("verb", "arguments", "text"),
    [
        ("search", ("(",), "is no regular expression"),
        ("search", (7,), "takes a regular expression, as a text or compiled, not 7"),
        ("search", (re.compile(b"x"),), "takes a regular expression"),
        ("search", ("x", "created_at"), "Sample.created_at is no text"),
        ("search", ("x", 3), "takes the name of an attribute, not 3"),
        ("search", ("x", "nmae"), "did you mean `name`"),
        ("close_matches", (None,), "takes a text, not None"),
        ("close_matches", ("x", 0), "whole number from 1, not 0"),
        ("close_matches", ("x", 1, 1.5), "cutoff is a number from 0"),
    ],
)
def test_wrong_arguments_are_refused(lab: Session, verb: str, arguments: tuple[Any, ...], text: str) -> None:
    """With an error that names the argument, and says what it may be."""
    with pytest.raises((UsageError, SchemaError), match=re.escape(text)):
        getattr(lab.browse("Sample"), verb)(*arguments)


def test_a_type_without_a_name_is_searched_by_its_label_or_not_at_all(lab: Session) -> None:
    """An item has a barcode; a part has nothing but its key."""
    assert lab.browse("Item").search("x") == []
    with pytest.raises(UsageError, match="a Part has no name"):
        lab.browse("Part").search("x")


def test_a_browser_is_of_a_type_its_class_a_text_or_a_query(lab: Session) -> None:
    """And of nothing else."""
    for what in ("Sample", lab.types["Sample"], lab.Sample, lab.query("Sample")):
        assert lab.browse(what).count() == SAMPLES
    assert lab.browse("Sample where project is odd").where({"name": {"__starts_with__": "P1"}}).count() == 6
    assert str(lab.browse("Sample").where(project="odd").query) == 'Sample where project = "odd"'
    for wrong, text in ((7, "not 7"), (None, "not None")):
        with pytest.raises(UsageError, match=text):
            lab.browse(wrong)
    with pytest.raises(QueryError, match="did you mean `Sample`"):
        lab.browse("Smaple")
    with pytest.raises(UsageError, match="plain rows"):
        lab.browse(lab.query({"__model__": "Sample", "__query__": {}, "__json__": True}))
    with pytest.raises(StateError, match="another session"):
        lab.browse(lab.fork().query("Sample"))


def test_pages_of_a_browser_are_those_of_its_query(lab: Session) -> None:
    """An offset under what is known gives the same rows as without."""
    lab.Sample.all()
    whole = lab.query("Sample order by name").all()
    assert lab.browse("Sample order by name offset 10 limit 10").all() == whole[10:20]
    assert lab.browse("Sample order by name offset 10 limit 10").count() == 10


def test_what_another_session_knows_is_taken_over_without_a_request(lab: Session) -> None:
    """With what its loaded relations lead to; pending values are not taken, and what is pending here stays."""
    with lab.with_cache() as derived:
        loaded = derived.browse("Sample").where(name=["P1", "P2"])
        loaded.get(relations={"sample_type": ["field_types"]})
        samples = loaded.all()
        samples[0]["description"] = "pending there"
        browser = lab.browse("Sample")
        lab.statistics.reset()
        found = browser.update_cache(samples)
        assert {name: len(members) for name, members in found.items() if name != "User"} == {
            "Sample": 2,
            "SampleType": 2,
            "FieldType": 4,
        }
        assert all(each._core is lab for members in found.values() for each in members)
        assert {each["description"] for each in found["Sample"]} == {"$x_1", "$x_2"}
        assert len(browser.get(found["Sample"], "sample_type.field_types")) == 4
        assert lab.statistics.requests == 0
        assert browser.update_cache(samples[0], recursive=False).keys() == {"Sample"}
    with pytest.raises(UsageError, match="takes entities, not 7"):
        browser.update_cache([7])
    with memory_service("production") as other, Session(connection=over(other.backend("admin"))) as elsewhere:
        project = elsewhere.create("Project", {"name": "p"})
        with pytest.raises(UsageError, match="another schema"):
            browser.update_cache(project)


def test_the_browser_of_a_session_that_may_not_talk_answers_from_what_it_has(lab: Session) -> None:
    """What is loaded is given; what needs the server is refused."""
    browser = lab.browse("Sample")
    samples = browser.where(name="P1").all()
    browser.get(samples, {"sample_type": ["field_types"]})
    with lab.with_cache(using_requests=False) as offline:
        own = [offline.get("Sample", each.key) for each in samples]
        found = offline.browse("Sample").get(own, {"sample_type": ["field_types"]})
        assert sorted(names(found["sample_type.field_types"])) == ["colour", "length"]
        with pytest.raises(ForbiddenRequest):
            offline.browse("Sample").search("P")
        with pytest.raises(ForbiddenRequest):
            offline.browse("Sample").get(own, "items")


def test_the_network_is_read_by_levels_and_is_a_graph(lab: Session) -> None:
    """P4 comes from P2, which comes from P1; the types come along; nothing is read lazily."""
    networkx = pytest.importorskip("networkx")
    start = lab.Sample.find_by_name("P4")
    lab.statistics.reset()
    network = lab.browse("Sample").network(start, ["parents", "sample_type"])
    assert lab.statistics.requests <= 4
    assert len(network) == 6
    assert repr(network) == "<RelationNetwork of 6 entities and 5 links>"
    lab.statistics.reset()
    graph = network.graph
    assert isinstance(graph, networkx.MultiDiGraph)
    named = {(graph.nodes[a]["label"], name, graph.nodes[b]["label"]) for a, b, name in graph.edges(keys=True)}
    assert named == {
        ("P4", "parents", "P2"),
        ("P2", "parents", "P1"),
        ("P4", "sample_type", "Kind 04"),
        ("P2", "sample_type", "Kind 02"),
        ("P1", "sample_type", "Kind 01"),
    }
    assert {data["label"]: data["level"] for _, data in graph.nodes(data=True) if data["entity_type"] == "Sample"} == {
        "P4": 0,
        "P2": 1,
        "P1": 2,
    }
    assert lab.statistics.requests == 0
    assert networkx.has_path(graph, start.identity, lab.Sample.find_by_name("P1").identity)  # type: ignore[union-attr]


def test_a_network_ends_at_circles_at_its_depth_and_at_its_size(lab: Session) -> None:
    """Following a relation and its inverse ends; two relations between the same two are two edges."""
    pytest.importorskip("networkx")
    browser = lab.browse("Sample").where(name="P1")
    whole = browser.network(relations="derived, parents")
    assert sorted(whole.labels.values()) == ["P1", "P2", "P3", "P4"]
    assert whole.graph.number_of_edges() == 6
    assert sorted(browser.network(relations=["derived"], depth=1).labels.values()) == ["P1", "P2", "P3"]
    assert len(browser.network(relations=["derived"], depth=0)) == 1
    with pytest.raises(UsageError, match="more than 3 entities: set a `depth`"):
        browser.network(relations=["derived"], most=3)
    with pytest.raises(UsageError, match="no type has a relation `parnets`; did you mean `parents`"):
        browser.network(relations=["parnets"])
    for wrong, text in (((), "at least one relation"), (7, "not 7"), ([7], "not 7")):
        with pytest.raises(UsageError, match=text):
            browser.network(relations=wrong)
    with pytest.raises(UsageError, match="depth is a whole number"):
        browser.network(relations=["derived"], depth=-1)


def test_a_network_is_a_picture(lab: Session, tmp_path: Path) -> None:
    """Without a display; labels are shown as they are, and the ending of the file says its format."""
    pytest.importorskip("matplotlib")
    network = lab.browse("Sample").where(name=["P1", "P4"]).network(relations=["parents", "sample_type"])
    axes = network.draw(tmp_path / "network.png")
    assert (tmp_path / "network.png").read_bytes().startswith(b"\x89PNG")
    assert {"P1", "P2", "P4", "Kind 04"} <= {each.get_text() for each in axes.texts}
    legend = {each.get_text() for each in axes.get_legend().get_texts()}
    assert legend == {"parents", "sample_type", "Sample", "SampleType"}
    network.draw(tmp_path / "network.svg")
    assert "<svg" in (tmp_path / "network.svg").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match=r"the ending of `.*network.xyz` names no format of pictures: .*png"):
        network.draw(tmp_path / "network.xyz")
    empty = lab.browse("Sample").where(name="none such").network(relations=["parents"])
    empty.draw(tmp_path / "empty.png")
    assert len(empty) == 0


def test_without_the_extra_the_network_is_data_and_says_what_to_install(
    lab: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph and the picture need packages; the links do not."""
    for package in ("networkx", "matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, package, None)
    network = lab.browse("Sample").where(name="P4").network(relations=["parents"], depth=1)
    assert [(network.labels[each.source], each.relation, network.labels[each.target]) for each in network.links] == [
        ("P4", "parents", "P2")
    ]
    with pytest.raises(UsageError, match=r"needs networkx: `pip install callsheet\[graph\]`"):
        network.graph  # noqa: B018
    with pytest.raises(UsageError, match=r"needs matplotlib: `pip install callsheet\[graph\]`"):
        network.draw()


def test_labels_with_marks_of_formulas_are_drawn(lab: Session, tmp_path: Path) -> None:
    """A name such as ``$\\frac{`` is text in the picture, not a formula that fails."""
    pytest.importorskip("matplotlib")
    odd = lab.Sample.new(name="$\\frac{$ \x1b", sample_type=None)
    lab.browse("Sample").network([odd], ["parents"]).draw(tmp_path / "odd.png")
    assert (tmp_path / "odd.png").exists()


def test_a_dataframe_and_a_file_are_made_of_the_columns(lab: Session, tmp_path: Path) -> None:
    """By the export engine, by one request, without entities."""
    pytest.importorskip("pandas")
    browser = lab.browse("Sample order by name").where(name=["P1", "P2"])
    lab.statistics.reset()
    frame = browser.to_dataframe("name", "sample_type.name")
    assert lab.statistics.requests == 1
    assert frame.values.tolist() == [["P1", "Kind 01"], ["P2", "Kind 02"]]
    assert {"name", "project", "sample_type_id", "sample_type"} <= set(browser.to_dataframe().columns)
    assert browser.query.to_csv(tmp_path / "samples.csv") == 2


def test_what_is_deleted_here_is_not_found(lab: Session) -> None:
    """It takes no place among the close matches, either; in the past it is there."""
    browser = lab.browse("Sample")
    sample = lab.Sample.find_by_name("P12")
    assert sample is not None
    lab.delete(sample)
    assert browser.search("^P12$") == []
    (found,) = browser.close_matches("P12", 1)
    assert found["name"] in {"P1", "P2"}
    lab.rollback()
    assert browser.search("^P12$") == [sample]


def test_the_past_and_what_others_delete(own_lab: Session) -> None:
    """A browser of the past finds what is gone now; what was deleted meanwhile has no relations, and no error."""
    kind = own_lab.SampleType.new(name="kind")
    sample = own_lab.Sample.new(name="gone", sample_type=kind)
    before = own_lab.commit()
    assert before is not None
    other = own_lab.fork()
    known = other.browse("Sample").where(name="gone").all()
    own_lab.delete(sample)
    own_lab.commit()
    assert other.browse("Sample").get(known, ["items.location"]) == {"items": [], "items.location": []}
    assert other.browse("Sample").search("gone") == []
    with own_lab.at(before.position) as past:
        assert names(past.browse("Sample").search("gone")) == ["gone"]
        assert names(past.browse("Sample").get(relations="sample_type")) == ["kind"]


def test_thousands_of_entities_cost_a_few_requests(own_lab: Session) -> None:
    """More than a page, and more than a list of a query may have; types below a relation's type bring their own."""
    kind, tube = own_lab.SampleType.new(name="kind"), own_lab.ContainerType.new(name="tube")
    for number in range(2_100):
        sample = own_lab.Sample.new(name=f"S{number}", sample_type=kind)
        if number < 5:
            plate = own_lab.Collection.new(sample=sample, container_type=tube, barcode=f"plate{number}")
            own_lab.Item.new(sample=sample, container_type=tube, barcode=f"tube{number}")
            own_lab.Part.new(collection=plate, item=plate, row=0, column=1)
    own_lab.commit()
    fresh = own_lab.fork()
    fresh.open()
    fresh.statistics.reset()
    browser = fresh.browse("Sample")
    found = browser.get(relations={"items": {"parts": [], "location": []}, "sample_type": []})
    assert {path: len(members) for path, members in found.items()} == {
        "items": 10,
        "items.parts": 5,
        "items.location": 0,
        "sample_type": 1,
    }
    assert fresh.statistics.requests <= 8, "three pages, three parts of keys, one for what is below Item"
    assert len(browser.search("^S9..$")) == 100


def test_a_browser_works_over_another_language() -> None:
    """Over ftrack's wire: relations, names, the network and frames."""
    service = memory_service()
    with session_over(Direct(service), plugin_paths=False) as session:
        project = session.create("Project", {"name": "sintel", "full_name": "Sintel"})
        for place in range(3):
            shot = session.create("Shot", {"name": f"sh{place}", "parent": project})
            session.create("Task", {"name": "anim", "parent": shot})
        session.commit()
        with session.fork() as fresh:
            browser = fresh.browse("Shot order by name")
            shots = browser.all()
            found = browser.get(shots, {"children": [], "parent": []})
            fresh.statistics.reset()
            assert [names(each["children"]) for each in shots] == [["anim"]] * 3
            assert (len(found["children"]), names(found["parent"])) == (3, ["sintel"])
            assert fresh.statistics.requests == 0
            assert names(browser.search("^sh[12]$")) == ["sh1", "sh2"]
            assert names(browser.close_matches("sh2x", 1)) == ["sh2"]
            assert len(fresh.browse("Task").network(relations=["parent"])) == 7
            assert browser.count() == 3
    service.close()


def test_the_flows_take_any_core(lab: Session) -> None:
    """Authors of flows call them with a `Select`."""
    select = lab.query("Sample where project is odd").select_statement
    assert names(lab.run(search(lab, select, "^P[1-4]$", None, True))) == ["P1", "P3"]
    assert names(lab.run(close_matches(lab, select, "P39", 1, 0.6, None, True))) == ["P39"]


def test_a_browser_is_awaited_in_an_async_session(service: Any) -> None:
    """The same verbs, with the same number of requests."""

    async def scenario() -> None:
        async with AsyncSession(connection=over(service.backend("admin"))) as session:
            browser = session.browse("Sample")
            assert isinstance(browser, AsyncBrowser)
            session.statistics.reset()
            samples = await browser.all()
            found = await browser.get(samples, {"sample_type": {"field_types": []}})
            assert session.statistics.requests == 2
            assert len(found["sample_type.field_types"]) == 2 * KINDS
            assert names(await browser.where(project="odd").search("^P[1-4]$")) == ["P1", "P3"]
            assert names(await browser.close_matches("P12", 1)) == ["P12"]
            assert await browser.count() == SAMPLES
            assert len(await browser.get(browser.query, "sample_type")) == KINDS
            network = await browser.where(name="P4").network(relations=["parents"])
            assert sorted(network.labels.values()) == ["P1", "P2", "P4"]

    asyncio.run(scenario())
