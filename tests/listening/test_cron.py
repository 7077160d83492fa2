"""When schedules are due: expressions, zones, and the nights on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet.errors import UsageError
from callsheet.listening.cron import check_cron, latest, ticks

STOCKHOLM = "Europe/Stockholm"


def due(expression: str, after: str, count: int, zone: str = STOCKHOLM) -> list[str]:
    """The next moments, as local times with their offset."""
    found = ticks(expression, zone, datetime.fromisoformat(after))
    return [f"{each:%d %H:%M%z}" for each in islice(found, count)]


def test_a_schedule_is_due_on_the_days_and_at_the_times_of_its_expression() -> None:
    """On working days at two, local time: after Friday comes Monday."""
    assert due("0 2 * * mon-fri", "2026-11-26T12:00+01:00", 3) == ["27 02:00+0100", "30 02:00+0100", "01 02:00+0100"]


def test_a_time_that_a_clock_change_leaves_out_is_due_at_the_end_of_the_gap() -> None:
    """On 29 March 2026 Stockholm has no 02:30; the job is done at 03:00, and at 02:30 on the days around it."""
    assert due("30 2 * * *", "2026-03-28T00:00+01:00", 3) == ["28 02:30+0100", "29 03:00+0200", "30 02:30+0200"]


def test_two_times_in_a_gap_are_one_tick() -> None:
    """Both 02:10 and 02:40 fall to 03:00, which is one moment."""
    assert due("10,40 2 * * *", "2026-03-28T12:00+01:00", 3) == ["29 03:00+0200", "30 02:10+0200", "30 02:40+0200"]


def test_a_time_that_exists_twice_is_due_the_first_time_only() -> None:
    """On 25 October 2026 Stockholm has 02:30 twice."""
    assert due("30 2 * * *", "2026-10-24T12:00+02:00", 2) == ["25 02:30+0200", "26 02:30+0100"]
    assert due("30 2 * * *", "2026-10-25T02:10+01:00", 1) == ["26 02:30+0100"]


def test_an_hourly_job_is_done_every_hour_when_clocks_change() -> None:
    """It is done in both of the repeated hours, and not in the one that is left out."""
    repeated = ["25 01:00+0200", "25 02:00+0200", "25 02:00+0100", "25 03:00+0100"]
    assert due("0 * * * *", "2026-10-25T00:30+02:00", 4) == repeated
    assert due("0 * * * *", "2026-03-29T00:30+01:00", 3) == ["29 01:00+0100", "29 03:00+0200", "29 04:00+0200"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("61 2 * * *", "schedule `x`: the minute of the cron expression '61 2 * * *' cannot be read"),
        ("0 2 * * mon-fry", "the day-of-week of the cron expression '0 2 [*] [*] mon-fry' cannot be read"),
        ("0 2 * *", "'0 2 [*] [*]' is not a cron expression, which has five fields"),
        ("* * * * * *", "is not a cron expression, which has five fields"),
        ("@daily", "'@daily' is not a cron expression"),
        ("0 0 30 2 *", "the day-of-month of the cron expression '0 0 30 2 [*]' cannot be read"),
        (" ".join(["1" * 300, *"****"]), "is not a cron expression"),
        (5, "5 is not a cron expression"),
    ],
)
def test_an_expression_that_cannot_be_read_is_named(expression: str, message: str) -> None:
    """The error names the schedule, the field and the expression."""
    with pytest.raises(UsageError, match=message.replace("'61 2 * * *'", "'61 2 [*] [*] [*]'")):
        check_cron("schedule `x`", expression, STOCKHOLM)


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ("Europe/Stokholm", "schedule `x`: there is no time zone 'Europe/Stokholm'; did you mean `Europe/Stockholm`"),
        ("", "there is no time zone ''"),
        ("../etc/passwd", "there is no time zone '../etc/passwd'"),
        (None, "there is no time zone None"),
    ],
)
def test_a_zone_that_is_not_there_is_named(zone: str, message: str) -> None:
    """The error names the schedule and the zone, and the nearest name."""
    with pytest.raises(UsageError, match=message):
        check_cron("schedule `x`", "0 2 * * *", zone)


FIELDS = (
    st.sampled_from(["*", "0", "30", "*/15", "5,40"]),
    st.sampled_from(["*", "2", "3", "*/6", "0-3"]),
    st.sampled_from(["*", "1", "*/10", "25-31"]),
    st.sampled_from(["*", "3", "10", "3,10"]),
    st.sampled_from(["*", "sun", "mon-fri"]),
)
EXPRESSIONS = st.tuples(*FIELDS).map(" ".join)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS, MOMENTS, st.integers(1, 6), st.sampled_from([STOCKHOLM, "America/New_York", "UTC"]))
def test_wherever_a_search_begins_it_finds_the_same_ticks(expression: str, after: datetime, n: int, zone: str) -> None:
    """Listeners begin anew after each tick, and must agree with one that never stopped."""
    found = list(islice(ticks(expression, zone, after), n))
    assert [each.astimezone(UTC) for each in found] == sorted({each.astimezone(UTC) for each in found})
    assert all(each > after for each in found)
    for earlier, later in pairwise(found):
        assert next(ticks(expression, zone, earlier)) == later
    assert latest(expression, zone, after, found[-1]) == found[-1]
    assert latest(expression, zone, after, found[-1] + timedelta(seconds=1)) == found[-1]
