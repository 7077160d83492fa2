"""Timelines: one rule or one option for each thing that can be read in two ways, else a refusal with the clip."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from callsheet.conform.edit import Clip, Edit, EditOptions
from callsheet.conform.reading import read_edit
from callsheet.errors import StorageError, UsageError
from timelines import Write, clip, otio, span, timeline, track


def facts(edit: Edit) -> list[tuple[str, int, int | None, int, float]]:
    return [(each.shot, each.start, each.last, each.duration, each.rate) for each in edit.clips]


def gap(length: float, rate: float = 24.0) -> Any:
    return otio.schema.Gap(source_range=span(0, length, rate))


def frames(count: float, rate: float = 24.0) -> Any:
    return otio.opentime.RationalTime(count, rate)


def test_clips_and_gaps(write: Write) -> None:
    """Gaps are no shots; a place counts shots, and sound has none."""
    made = timeline(clip("a", 10, 24), gap(12), clip("b", 0, 48))
    made.tracks.append(otio.schema.Track("A1", kind=otio.schema.TrackKind.Audio, children=[clip("sound")]))
    edit = read_edit(write(made))
    assert edit.name == "edit"
    assert edit.clips[1] == Clip("b", 0, 48, 24.0, 2, "", 47, "b", "clip 2")
    assert facts(edit) == [("a", 10, 33, 24, 24.0), ("b", 0, 47, 48, 24.0)]


@pytest.mark.parametrize("rate", [23.976, 23.98, 24000 / 1001])
def test_spellings_of_a_rate(write: Write, rate: float) -> None:
    """However a file spells it, one rate is one rate."""
    assert facts(read_edit(write(timeline(clip("a", 0, 24, rate))))) == [("a", 0, 23, 24, 23.976)]


def test_times_in_seconds_need_a_rate(write: Write) -> None:
    """Seconds and time scales are no frames: the caller says the rate, and lengths must be whole frames of it."""
    made = timeline(clip("a", 1, 2.5, 1.0))
    with pytest.raises(UsageError, match=r"does not say its frame rate.*--rate"):
        read_edit(write(made))
    assert facts(read_edit(write(made), EditOptions(rate=24))) == [("a", 24, 83, 60, 24.0)]
    with pytest.raises(UsageError, match=r"clip 1 `a` is 62\.500 frames"):
        read_edit(write(made), EditOptions(rate=25))


def test_a_rate_against_the_file(write: Write) -> None:
    """The option does not change what a file says."""
    with pytest.raises(UsageError, match="counts 24 frames per second, not 25 as --rate says"):
        read_edit(write(timeline(clip("a"))), EditOptions(rate=25))


def test_several_rates(write: Write) -> None:
    """The edit's rate is stated by the file or the caller; sources of others begin and end at its nearest frames."""
    made = timeline(clip("a", 0, 24), clip("b", 50, 26, 25.0), clip("c", 0, 24))
    with pytest.raises(UsageError, match=r"several frame rates \(clip 1 `a` at 24, clip 2 `b` at 25\)"):
        read_edit(write(made))
    expected = [("a", 0, 23, 24, 24.0), ("b", 50, 75, 25, 24.0), ("c", 0, 23, 24, 24.0)]
    assert facts(read_edit(write(made), EditOptions(rate=24))) == expected
    made.global_start_time = frames(0)
    assert facts(read_edit(write(made))) == expected


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (clip("a", 0, 24.5), "clip 1 `a` is 24.500 frames; a shot has whole frames"),
        (clip("a", 0.5, 24), "clip 1 `a` begins at 0.500 frames"),
        (clip("a", -5, 24), "clip 1 `a` begins 5 frames before its source"),
        (clip("a", 0, 0), "clip 1 `a` has no length"),
        (clip("a", 0, -24), "clip 1 `a` has no length"),
        (clip("a", 0, 1e300), "no number of frames"),
        (otio.schema.Clip("a"), "clip 1 `a` has no length: neither the edit nor its media says one"),
        (clip(""), "clip 1 has no name"),
        (clip("a\nb"), "cannot be a name"),
        (clip("x" * 5000), "cannot be a name"),
        (clip("/"), "cannot be a name"),
    ],
)
def test_items_that_are_no_shots(write: Write, item: Any, told: str) -> None:
    """The refusal names the clip and the reason."""
    with pytest.raises(UsageError, match=told):
        read_edit(write(timeline(item)))


def test_the_media_may_say_the_length(write: Write) -> None:
    """A clip without a range of its own is as long as its media."""
    media = otio.schema.ExternalReference("a.mov", available_range=span(100, 30))
    assert facts(read_edit(write(timeline(otio.schema.Clip("a", media))))) == [("a", 100, 129, 30, 24.0)]


def test_muted_clips(write: Write) -> None:
    """A muted clip or track is not seen and is no shot, which a note says; or the option counts it."""
    quiet = clip("b")
    quiet.enabled = False
    edit = read_edit(write(timeline(clip("a"), quiet)))
    assert [each.shot for each in edit.clips] == ["a"]
    assert edit.notes == ("clip 2 `b` is muted; it is no shot",)
    assert [each.shot for each in read_edit(write(timeline(clip("a"), quiet)), EditOptions(muted=True)).clips] == [
        "a",
        "b",
    ]
    off = track(clip("z"), name="V2")
    off.enabled = False
    assert [each.shot for each in read_edit(write(timeline(track(clip("a")), off))).clips] == ["a"]
    with pytest.raises(UsageError, match="clip 1 `b` is muted"):
        read_edit(write(timeline(quiet)))


def test_titles_bars_and_black(write: Write) -> None:
    """What is generated is no shot, which a note says; or the option counts it."""
    title = clip("title", media_reference=otio.schema.GeneratorReference("title"))
    edit = read_edit(write(timeline(clip("a"), title)))
    assert edit.notes == ("clip 2 `title` is generated (a title, bars or black); it is no shot",)
    assert len(read_edit(write(timeline(clip("a"), title)), EditOptions(generated=True)).clips) == 2


def nested() -> Any:
    inner = track(clip("x", 0, 24), clip("y", 100, 24))
    return otio.schema.Stack("comp", children=[inner], source_range=span(12, 24))


def test_nested_items(write: Write) -> None:
    """Refused by name; one shot; or opened: the parts of its clips that are seen."""
    made = timeline(clip("a"), nested())
    with pytest.raises(UsageError, match="clip 2 `comp` is nested; say with --nested"):
        read_edit(write(made))
    assert facts(read_edit(write(made), EditOptions(nested="one")))[1] == ("comp", 12, 35, 24, 24.0)
    assert facts(read_edit(write(made), EditOptions(nested="open")))[1:] == [
        ("x", 12, 23, 12, 24.0),
        ("y", 100, 111, 12, 24.0),
    ]


def test_nested_items_that_cannot_be_opened(write: Write) -> None:
    """Those that are retimed, and those without picture, are named."""
    fast = nested()
    fast.effects.append(otio.schema.LinearTimeWarp(time_scalar=2))
    sound = otio.schema.Track("A1", kind=otio.schema.TrackKind.Audio, children=[clip("s")])
    silent = otio.schema.Stack("mix", children=[sound], source_range=span(0, 24))
    for item, told in ((fast, "`comp` is nested and retimed"), (silent, "`mix` has no video track")):
        with pytest.raises(UsageError, match=told):
            read_edit(write(timeline(item)), EditOptions(nested="open"))


def test_several_tracks(write: Write) -> None:
    """Refused with their names; one by name or number; or what is seen of all."""
    made = timeline(track(clip("a"), clip("b")), track(gap(24), clip("c", 0, 12), name="V2"))
    with pytest.raises(UsageError, match=r"clips on 2 video tracks \(1 `V1`, 2 `V2`\); say which one with --track"):
        read_edit(write(made))
    for wanted, names in (("V2", ["c"]), ("2", ["c"]), ("V1", ["a", "b"]), ("seen", ["a", "c", "b"])):
        assert [each.shot for each in read_edit(write(made), EditOptions(track=wanted)).clips] == names
    with pytest.raises(UsageError, match="has no track `V9`; it has 1 `V1`, 2 `V2`"):
        read_edit(write(made), EditOptions(track="V9"))


def test_several_timelines(write: Write) -> None:
    """Refused with their names; one by name or number; two of one name by number."""
    reels = otio.schema.SerializableCollection("reels")
    reels.append(timeline(clip("a"), name="reel 1"))
    reels.append(timeline(clip("b"), name="reel 2"))
    with pytest.raises(
        UsageError, match=r"holds 2 timelines \(1 `reel 1`, 2 `reel 2`\); say which one with --timeline"
    ):
        read_edit(write(reels))
    for wanted in ("reel 2", "2"):
        assert [each.shot for each in read_edit(write(reels), EditOptions(timeline=wanted)).clips] == ["b"]
    reels.append(timeline(clip("c"), name="reel 2"))
    with pytest.raises(UsageError, match="2 timelines called `reel 2`; say the number"):
        read_edit(write(reels), EditOptions(timeline="reel 2"))
    with pytest.raises(UsageError, match="holds no timeline"):
        read_edit(write(otio.schema.SerializableCollection("none")))


def test_a_clip_used_twice(write: Write) -> None:
    """Refused with both places; or numbered; a numbered name must not be another clip's."""
    made = timeline(clip("a"), clip("b"), clip("A", 100))
    with pytest.raises(UsageError, match="clip 3 `A` is used by clip 1 already; --number-repeats"):
        read_edit(write(made))
    options = EditOptions(number_repeats=True)
    assert [each.shot for each in read_edit(write(made), options).clips] == ["a", "b", "A_2"]
    with pytest.raises(UsageError, match="the repeat would be `a_2`, the name of another clip"):
        read_edit(write(timeline(clip("a"), clip("a_2"), clip("a", 100))), options)


def test_a_cut_that_is_none(write: Write) -> None:
    """A clip that goes on without a cut in the picture is one shot, which a note says."""
    edit = read_edit(write(timeline(clip("a", 0, 10), clip("a", 10, 14))))
    assert facts(edit) == [("a", 0, 23, 24, 24.0)]
    assert edit.notes == ("clip 2 `a` goes on without a cut; it is one shot with clip 1",)
    with pytest.raises(UsageError, match="is used by clip 1"):
        read_edit(write(timeline(clip("a", 0, 10), gap(5), clip("a", 10, 14))))


def test_transitions(write: Write) -> None:
    """A shot has all frames that are seen of it, those under a transition too."""
    dissolve = otio.schema.Transition("d", "SMPTE_Dissolve", in_offset=frames(4), out_offset=frames(6))
    made = timeline(clip("a", 100, 24), dissolve, clip("b", 200, 24))
    assert facts(read_edit(write(made))) == [("a", 100, 129, 30, 24.0), ("b", 196, 223, 28, 24.0)]


@pytest.mark.parametrize(
    ("speed", "last", "note"),
    [
        (2.0, 147, "clip 1 `a` runs at 200%: source frames 100 to 147 for 24 frames"),
        (0.5, 111, "clip 1 `a` runs at 50%: source frames 100 to 111 for 24 frames"),
        (-1.0, 123, "clip 1 `a` runs at 100% backwards: source frames 100 to 123 for 24 frames"),
        (0.0, 100, "clip 1 `a` is a still: frame 100 for 24 frames"),
        (1.0, 123, ""),
    ],
)
def test_retimes(write: Write, speed: float, last: int, note: str) -> None:
    """A retimed shot is as long as in the cut, and its source as its speed says."""
    edit = read_edit(write(timeline(clip("a", 100, effects=[otio.schema.LinearTimeWarp(time_scalar=speed)]))))
    assert facts(edit) == [("a", 100, last, 24, 24.0)]
    assert "".join(edit.notes) == note


def test_a_speed_that_is_not_known(write: Write) -> None:
    """The last source frame stays empty, which a note says."""
    edit = read_edit(write(timeline(clip("a", 100, effects=[otio.schema.Effect("Time Remap")]))))
    assert facts(edit) == [("a", 100, None, 24, 24.0)]
    assert edit.notes == ("clip 1 `a` is retimed in a way that is not known; its last source frame stays empty",)


def test_names_by_place_and_by_pattern(write: Write) -> None:
    """Shots are numbered in tens, or a pattern finds shot and sequence in the clip's name."""
    made = timeline(clip(""), clip("abc"))
    assert [each.shot for each in read_edit(write(made), EditOptions(names="place")).clips] == ["sh0010", "sh0020"]
    made = timeline(clip("SHOW_sq010_sh020_v003.mov"))
    found = read_edit(write(made), EditOptions(pattern="_(?P<sequence>sq[0-9]+)_(?P<shot>sh[0-9]+)")).clips[0]
    assert (found.sequence, found.shot, found.label) == ("sq010", "sh020", "SHOW_sq010_sh020_v003.mov")
    for pattern, told in (("(?P<shot>x)", "does not fit the pattern"), ("(", "no regular expr"), ("a", "no group")):
        with pytest.raises(UsageError, match=told):
            read_edit(write(made), EditOptions(pattern=pattern))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("edit.otio", "no timeline", "OpenTimelineIO cannot read edit.otio"),
        ("edit.otio", "{}", "edit.otio"),
        ("edit.otio", "[" * 100_000, "nested more than 200 deep"),
        ("edit.otio", '{"OTIO_SCHEMA": "Clip.1", "name": "a"}', "holds no timeline"),
        ("edit.otio", b"\x00\x01\x02", "edit.otio is no text"),
        ("edit.otioz", "no archive", "is no .otioz archive"),
        ("edit.xyz", "x", r"no reader for this kind of file; there are .csv, .*\.edl, .*\.otio"),
        ("edit", "x", "no reader for this kind of file"),
        ("edit.edl", "", "is empty"),
        ("edit.edl", "TITLE: x\n", "--rate"),
    ],
)
def test_files_that_are_no_edits(write: Write, name: str, content: str | bytes, told: str) -> None:
    """One line of ours, whatever the library raises."""
    with pytest.raises(UsageError, match=told):
        read_edit(write(content, name))


def test_without_opentimelineio(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra to install is named; a file that is missing is named."""
    path = write("x", "edit.edl")
    with pytest.raises(StorageError, match="does not exist"):
        read_edit(path.with_name("gone.otio"))
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(UsageError, match=r"callsheet\[otio\]"):
        read_edit(path)


EDL = """TITLE: cut
FCM: {fcm}
001  AX V C        01:00:00:00 01:00:01:00 00:00:59:00 00:01:00:{begin}
* FROM CLIP NAME: sh010
002  AX V C        01:00:00:00 01:00:01:02 00:01:00:{begin} 00:01:01:{end}
* FROM CLIP NAME: sh020
"""


def test_edit_decision_lists(write: Write) -> None:
    """They do not say their rate: the caller does. A name that is an event's number is none."""
    path = write(EDL.format(fcm="NON-DROP FRAME", begin="00", end="02"), "cut.edl")
    with pytest.raises(UsageError, match="does not say its frame rate; say it with --rate"):
        read_edit(path)
    assert facts(read_edit(path, EditOptions(rate=25))) == [
        ("sh010", 90000, 90024, 25, 25.0),
        ("sh020", 90000, 90026, 27, 25.0),
    ]
    text = EDL.format(fcm="NON-DROP FRAME", begin="00", end="02").replace("* FROM CLIP NAME: sh010\n", "")
    with pytest.raises(UsageError, match="clip 1 has no name"):
        read_edit(write(text, "cut.edl"), EditOptions(rate=25))
    with pytest.raises(UsageError, match=r"OpenTimelineIO cannot read cut\.edl"):
        read_edit(write("TITLE: x\nnonsense\n", "cut.edl"), EditOptions(rate=24))


def test_drop_frame(write: Write) -> None:
    """Drop-frame timecode has no frames 00 and 01 in a new minute, and needs a rate that has it."""
    path = write(EDL.format(fcm="DROP FRAME", begin="02", end="04"), "cut.edl")
    assert [each.duration for each in read_edit(path, EditOptions(rate=29.97)).clips] == [30, 32]
    for rate, told in ((24, "drop-frame timecode, which is of 29.97"), (30, "the rate is 29.97, not 30")):
        with pytest.raises(UsageError, match=told):
            read_edit(path, EditOptions(rate=rate))
    with pytest.raises(UsageError, match=r"--rate \(it counts drop-frame"):
        read_edit(path)
