"""Tables are read the way offices save them."""

from __future__ import annotations

import pytest

from callsheet.conform.edit import EditOptions
from callsheet.conform.reading import read_edit
from callsheet.errors import StorageError, UsageError
from timelines import Write

SHOTS = [("#010", 0, 24, 25.0), ("é020", 24, 48, 25.0)]


@pytest.mark.parametrize(
    "text",
    [
        "name,start,duration,rate\n#010,0,24,25\né020,24,48,25\n",
        "Name;Start;Duration;Rate\r\n#010;0;24;25\r\né020;24;48;25,0\r\n;;;\r\n",
        "SHOT\tIN\tFRAMES\tFPS\n#010\t0\t24\t25\né020\t24\t48\t25\n",
        "# my edit\n\n name , start , duration , rate \n#010,0,24,25\n\né020,24.0,48,25.000\n",
        'sep=;\n"Name";"Start";"Duration";"Rate"\n"#010";"0";"24";"25"\n"é020";"24";"48";"25"\n',
        "extra|name|start|duration|rate\nx|#010|0|24|25\ny|é020|24|48|25\n",
        "name,start,duration,rate\r#010,0,24,25\ré020,24,48,25\r",
    ],
    ids=["plain", "semicolon", "tabs", "comments", "sep", "pipe", "old-mac"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_separators_and_encodings(write: Write, text: str, encoding: str) -> None:
    """Any usual separator, header names of any case, decimal commas, a name that begins like a comment."""
    edit = read_edit(write(text.encode(encoding), "edit.csv"))
    assert [(clip.shot, clip.start, clip.duration, clip.rate) for clip in edit.clips] == SHOTS


def test_quotes(write: Write) -> None:
    """A quoted name may hold the separator and quotes."""
    edit = read_edit(write('name,start,duration,rate\n"sh, ""a""",0,24,24\n', "edit.csv"))
    assert [clip.shot for clip in edit.clips] == ['sh, "a"']


def test_a_rate_for_tables_without_one(write: Write) -> None:
    """The option is for what the file does not say; where both say it, they must agree."""
    path = write("name,start,duration\na,0,1\n", "edit.csv")
    assert read_edit(path, EditOptions(rate=23.98)).clips[0].rate == 23.976
    with pytest.raises(UsageError, match="line 2, `a`: the file does not say the frame rate; say it with --rate"):
        read_edit(path)
    with pytest.raises(UsageError, match="line 2, `a`: the rate is 24, not 25 as --rate says"):
        read_edit(write("name,start,duration,rate\na,0,1,24\n", "edit.csv"), EditOptions(rate=25))


def test_a_column_for_sequences(write: Write) -> None:
    """Shots of one name in several sequences are several shots."""
    edit = read_edit(write("sequence,name,start,duration,rate\nsq1,sh1,0,1,24\nsq2,sh1,0,1,24\n", "edit.csv"))
    assert [(clip.sequence, clip.shot) for clip in edit.clips] == [("sq1", "sh1"), ("sq2", "sh1")]


HEADER = "name,start,duration,rate\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("start,long\n1,2\n", "edit.csv has no column duration"),
        ("hello\n", "edit.csv has no column start, duration; an edit has name, sequence, start, duration, rate"),
        ("# only a comment\n", "no column start"),
        (HEADER, "edit.csv has no clips"),
        (HEADER + "a,0,1\n", "line 2, `a`: the file does not say the frame rate"),
        (HEADER + "a,0,1,24,5\n", "line 2, `a`: there are more cells than columns"),
        (HEADER + "a,0,,24\n", "line 2, `a`: duration '' is no whole number of frames"),
        (HEADER + "a,0,24.5,24\n", "duration '24.5' is no whole number"),
        (HEADER + 'a,0,"1,000",24\n', "duration '1,000' is no whole number"),
        (HEADER + "a,0,1_000,24\n", "duration '1_000' is no whole number"),
        (HEADER + "a,01:00:00:00,1,24\n", "start '01:00:00:00' is no whole number"),
        (HEADER + f"a,0,{'9' * 5000},24\n", "is no whole number"),
        (HEADER + "a,0,99999999999,24\n", "is no whole number"),
        (HEADER + "a,0,nan,24\n", "duration 'nan' is no whole number"),
        (HEADER + "a,0,0,24\n", "line 2, `a`: duration must be more than nothing"),
        (HEADER + "a,0,-5,24\n", "line 2, `a`: duration must be more than nothing"),
        (HEADER + "a,-1,5,24\n", "line 2, `a`: start is before the first frame"),
        (HEADER + "a,0,1,0\n", "rate '0' is no number of frames per second"),
        (HEADER + "a,0,1,inf\n", "rate 'inf' is no number"),
        (HEADER + '"a,0,1,24\n', "line 2: unexpected end of data"),
        (HEADER + '\n"a\nb",0,1,24\n', "line 3 .*cannot be a name"),
        ("name,name,start,duration,rate\na,b,0,1,24\n", "two columns `name`"),
        (HEADER + "a,0,x,24\nb,0,y,24\nc,0,1,24\n", "is refused, for 2 reasons:\n  line 2, `a`: .*\n  line 3, `b`: "),
        (HEADER + "!!,0,1,24\n", "cannot be a name"),
        ("PK\x03\x04" + HEADER, "it has characters that no text has"),
        (b"\xff\xfea".decode("latin-1").encode("latin-1"), "is no text of utf-16"),
        (HEADER.encode("utf-16-le"), "is no text; save it as UTF-8"),
        (b"name\x81\xff", "is no text of UTF-8 or Windows-1252"),
    ],
)
def test_wrong_tables(write: Write, text: str | bytes, told: str) -> None:
    """The refusal names the file, the line, the clip and the reason; all lines at once."""
    with pytest.raises(UsageError, match=told):
        read_edit(write(text, "edit.csv"))


def test_files_that_cannot_be_read(write: Write) -> None:
    """A file that is not there, and a folder."""
    folder = write("", "x").parent
    with pytest.raises(StorageError, match=r"gone\.csv cannot be read: No such file"):
        read_edit(folder / "gone.csv")
    (folder / "dir.csv").mkdir()
    with pytest.raises(StorageError, match="it is a folder"):
        read_edit(folder / "dir.csv")
    with pytest.raises(StorageError, match="cannot be read"):
        read_edit("nul\0.csv")
