"""A holiday company: its schema, and as many rows as wanted, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

Row = dict[str, Any]
Rows = dict[str, dict[str, Row]]
"""Rows by type and key; a reference holds the key of what it refers to."""

SMALL, MEDIUM, LARGE = 400, 3_000, 100_000
"""How many rows companies for tests have."""

REAL = {
    "Households": 742_565,
    "People": 1_156_553,
    "Bookings": 2_130_081,
    "Policies": 213_567,
    "WebVisits": 279_538,
    "Communications": 70_705,
    "Journeys": 55_653,
    "Content": 153_041,
    "Responses": 1_549,
}
"""How many records the tables of a real holiday company have; ours keep the proportions."""

REGIONS = ("North", "South", "East", "West", "Islands")
OCCUPATIONS = ("Manual worker", "Sales", "Retired", "Student", "Professional", "Unemployed")
DESTINATIONS = ("France", "Greece", "Italy", "Portugal", "Sweden", "United States", "Australia")
PRODUCTS = ("Flight only", "Package", "Accommodation only")
CONTINENTS = ("Europe", "Americas", "Oceania")
SURNAMES = ("Smith", "Jones", "O'Neil", "de 100%", "Ångström", "smith", "Grün", "Li", "back\\slash", "Under_score", "")
TOWNS = ("Leamington", "Warwick", "Coventry", "Kenilworth")


def enum(label: str, *choices: str, **more: Any) -> Row:
    return {"type": "enum", "label": label, "choices": list(choices), **more}


def plain(kind: str, label: str, **more: Any) -> Row:
    return {"type": kind, "label": label, **more}


def up(target: str, inverse: str, label: str, **more: Any) -> Row:
    return {
        "type": "reference",
        "target": target,
        "inverse": inverse,
        "label": label,
        "on_delete": "cascade",
        "indexed": True,
        **more,
    }


def down(target: str, inverse: str, label: str) -> Row:
    return {"type": "collection", "target": target, "inverse": inverse, "label": label}


TYPES: dict[str, Row] = {
    "Households": {
        "singular": "Household",
        "plural": "Households",
        "label": "hhTown",
        "attributes": {
            "hhRegion": enum("Region", *REGIONS),
            "hhIncome": enum("Income", "A", "B", "C", "D"),
            "hhTown": plain("string", "Town"),
            "hhPost": plain("string", "Postcode", indexed=True),
            "hhCars": plain("integer", "Cars"),
            "hhLife": enum("Lifestyle", "City", "Suburb", "Country"),
            "hhSince": plain("date", "Customer Since"),
            "hhGard": plain("boolean", "Garden"),
            "hhPets": enum("Pets", "Cat", "Dog", "Both"),
            "people": down("People", "household", "Members"),
        },
        "codes": {"hhIncome": {"A": "<10k", "B": "10-20k", "C": "20-50k", "D": "50k+"}},
    },
    "People": {
        "singular": "Person",
        "plural": "People",
        "label": "peSurn",
        "belongs_to": "household",
        "attributes": {
            "household": up("Households", "people", "Household"),
            "peOccu": enum("Occupation", *OCCUPATIONS),
            "peGend": enum("Gender", "Female", "Male", "Unknown"),
            "peTitl": enum("Title", "Ms", "Mr", "Dr"),
            "peAge": plain("integer", "Age"),
            "peInco": plain("number", "Salary"),
            "peSurn": plain("string", "Surname"),
            "peInit": plain("string", "Initial"),
            "peMail": plain("string", "E-mail"),
            "pePhon": plain("string", "Phone"),
            "peLang": enum("Language", "English", "French", "Greek"),
            "peWork": plain("string", "Employer"),
            "peBorn": plain("date", "Birthday"),
            "peNews": plain("boolean", "Newsletter"),
            "bookings": down("Bookings", "person", "Bookings of the person"),
            "sold": down("Bookings", "boAgen", "Bookings sold"),
            "policies": down("Policies", "person", "Policies of the person"),
            "visits": down("WebVisits", "person", "Visits of the person"),
            "communications": down("Communications", "person", "Communications with the person"),
            "journeys": down("Journeys", "person", "Journeys of the person"),
        },
    },
    "Bookings": {
        "singular": "Booking",
        "label": "boRef",
        "belongs_to": "person",
        "attributes": {
            "person": up("People", "bookings", "Booked for"),
            "boAgen": up("People", "sold", "Sold by", on_delete="nullify"),
            "boRef": plain("string", "Booking Reference", unique=True),
            "boDate": plain("date", "Booking Date"),
            "boTrav": plain("date", "Travel Date"),
            "boDest": enum("Destination", *DESTINATIONS),
            "boCont": enum("Continent", *CONTINENTS),
            "boCost": plain("number", "Cost"),
            "boProd": enum("Product", *PRODUCTS),
            "boDays": plain("integer", "Duration"),
            "boRate": plain("integer", "Rating"),
            "boCanc": plain("boolean", "Cancelled"),
            "boMeal": enum("Meals", "None", "Breakfast", "All"),
            "boSeat": plain("string", "Seat"),
            "boBags": plain("integer", "Bags"),
            "bo1O9ZTR": plain("string", "Busy dates"),
        },
    },
    "Policies": {
        "singular": "Policy",
        "label": "poNumb",
        "belongs_to": "person",
        "attributes": {
            "person": up("People", "policies", "Insured"),
            "poNumb": plain("string", "Policy Number"),
            "PoCover": enum("Cover", "Single trip", "Annual"),
            "PoPremi": plain("number", "Premium"),
            "PoPolic1": plain("date", "Policy Date"),
            "PoTrave1": plain("date", "Policy Travel Date"),
            "PoBooki1": plain("date", "Policy Booking Date"),
            "PoDays": plain("integer", "Days Covered"),
            "poFirm": plain("string", "Insurer"),
        },
    },
    "WebVisits": {
        "singular": "Web Visit",
        "plural": "WebVisits",
        "label": "weRef",
        "belongs_to": "person",
        "attributes": {
            "person": up("People", "visits", "Visitor"),
            "weRef": plain("string", "Visit Reference"),
            "weTime": plain("datetime", "Time of Visit"),
            "weSecs": plain("integer", "Seconds"),
            "wePage": plain("integer", "Pages"),
            "weFrom": enum("Came From", "Search", "Mail", "Direct"),
            "weSale": plain("boolean", "Led to Booking"),
        },
    },
    "Communications": {
        "singular": "Communication",
        "label": "cmRef",
        "belongs_to": "person",
        "attributes": {
            "person": up("People", "communications", "Recipient"),
            "cmRef": plain("string", "Communication Reference"),
            "cmCommDt": plain("date", "Date of Communication"),
            "cmChan": enum("Channel", "Mail", "E-mail", "SMS"),
            "cmCost": plain("number", "Communication Cost"),
            "contents": down("Content", "communication", "Contents"),
            "responses": down("Responses", "communication", "Responses to it"),
        },
    },
    "Journeys": {
        "singular": "Journey",
        "label": "joRef",
        "belongs_to": "person",
        "attributes": {
            "person": up("People", "journeys", "Traveller"),
            "joRef": plain("string", "Journey Reference"),
            "joPool": enum("Pool", "Welcome", "Renewal", "Lapsed"),
            "joStep": plain("integer", "Step"),
            "joDone": plain("boolean", "Completed"),
            "joNote": plain("string", "Note"),
        },
    },
    "Content": {
        "singular": "Piece of Content",
        "plural": "Content",
        "label": "coName",
        "belongs_to": "communication",
        "attributes": {
            "communication": up("Communications", "contents", "Part of"),
            "coName": plain("string", "Content Name"),
            "coKind": enum("Kind", "Picture", "Offer", "Text"),
            "coSlot": plain("integer", "Slot"),
        },
    },
    "Responses": {
        "singular": "Response",
        "label": "raRef",
        "belongs_to": "communication",
        "attributes": {
            "communication": up("Communications", "responses", "Answer to"),
            "raRef": plain("string", "Response Reference"),
            "raRspDat": plain("date", "Response Date"),
            "ReCommun": plain("date", "Communication Date"),
            "raKind": enum("Response Kind", "Click", "Call", "Complaint"),
            "raVal": plain("number", "Response Value"),
        },
    },
}
HOLIDAYS: Row = {"name": "holidays", "description": "A holiday company.", "master": "Households", "types": TYPES}

PARENTS = {
    "People": ("household", "Households"),
    "Bookings": ("person", "People"),
    "Policies": ("person", "People"),
    "WebVisits": ("person", "People"),
    "Communications": ("person", "People"),
    "Journeys": ("person", "People"),
    "Content": ("communication", "Communications"),
    "Responses": ("communication", "Communications"),
}
"""The reference of each type to what it belongs to, and the type of that; the types above come first."""


def sizes(total: int) -> dict[str, int]:
    """How many rows each type has of so many in all; at least one of each."""
    whole = sum(REAL.values())
    return {name: max(1, round(number * total / whole)) for name, number in REAL.items()}


def generated(total: int, seed: int = 7) -> Rows:
    """The rows of a whole company. Some values are missing, and some people have nothing."""
    random = Random(seed)
    rows: Rows = {}
    for name, number in sizes(total).items():
        columns = {each: _values(random, attribute, number) for each, attribute in _stored(name)}
        if name in PARENTS:
            reference, parent = PARENTS[name]
            above = list(rows[parent])
            columns[reference] = random.choices(above[: max(1, len(above) * 4 // 5)], k=number)
        if name == "Bookings":
            columns["boAgen"] = _missing(random, random.choices(list(rows["People"]), k=number), 0.5)
        keys = [f"{name[:2].lower()}-{place:06d}" for place in range(number)]
        rows[name] = {key: dict(zip(columns, row)) for key, row in zip(keys, zip(*columns.values()))}
    return rows


def _stored(name: str) -> Iterator[tuple[str, Row]]:
    for each, attribute in TYPES[name]["attributes"].items():
        if attribute["type"] not in ("reference", "collection"):
            yield each, attribute


def _missing(random: Random, values: list[Any], share: float) -> list[Any]:
    """The values, about so many of which are None."""
    return [None if random.random() < share else value for value in values]


def _values(random: Random, attribute: Row, number: int) -> list[Any]:
    """The values of one attribute: a choice of its pool for each row."""
    label, kind = attribute["label"], attribute["type"]
    if label.endswith(("Reference", "Number")):
        return [f"{label[:2].upper()}{place:07d}" for place in range(number)]
    pool: list[Any]
    if kind == "enum":
        pool = attribute["choices"]
    elif kind == "boolean":
        pool = [True] * 3 + [False] * 7
    elif kind == "integer":
        pool = [0, 1, 2, 3, 5, 8, 13] * 10 + list(range(18, 91))
    elif kind == "number":
        pool = [0.0, 200.0, 200.5] * 300 + [round(random.uniform(10, 5_000), 2) for _ in range(300)]
    elif kind == "date":
        pool = [date(2021, 1, 1) + timedelta(days=day) for day in range(1_200)]
    elif kind == "datetime":
        pool = [datetime(2023, 12, 30, tzinfo=UTC) + timedelta(seconds=each * 4_001) for each in range(10_000)]
    else:
        pool = list(SURNAMES if label == "Surname" else TOWNS)
    return _missing(random, random.choices(pool, k=number), 0.08)


def fill(session: Any, rows: Rows, chunk: int = 20_000) -> None:
    """Commit the rows to a session's server."""
    pending = 0
    for name, found in rows.items():
        for key, row in found.items():
            given = {(f"{each}_id" if each in REFERENCES else each): value for each, value in row.items()}
            session.create(name, {"id": key, **given})
            pending += 1
            if pending % chunk == 0:
                session.commit()
    session.commit()


def load(session: Any, rows: Rows) -> None:
    """The rows written to the tables of a server in this process, past commits and their log: for many."""
    store = session._connection.service.store

    def write(connection: Any) -> None:
        for name, found in rows.items():
            full = [{"id": key, "_type": name, "_version": 1, **row} for key, row in found.items()]
            connection.execute(store.tables[name].insert(), full)
        connection.exec_driver_sql("ANALYZE")

    store.write(write)


REFERENCES = frozenset({"household", "person", "boAgen", "communication"})
