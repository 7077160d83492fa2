"""The options of a session: a name that is none is refused, with the option that was probably meant."""

from __future__ import annotations

import pytest

from callsheet import AsyncSession, Session, UsageError


@pytest.mark.parametrize("kind", [Session, AsyncSession])
@pytest.mark.parametrize(
    ("written", "meant"), [("retires", "retries"), ("time_out", "timeout"), ("page_sise", "page_size")]
)
def test_a_misspelt_option_is_refused_by_its_name(kind: type, written: str, meant: str) -> None:
    """`UsageError` names the option and suggests the right one, for options of the transport and of the session."""
    with pytest.raises(UsageError, match=f"no option `{written}`; did you mean `{meant}`") as raised:
        kind("https://callsheet.example.org", "user", "key", **{written: 3})
    assert isinstance(raised.value, UsageError)


def test_an_option_of_the_transport_needs_one() -> None:
    """A session on a server in its own process has no transport, so it refuses the transport's options."""
    with pytest.raises(UsageError, match="`timeout` is an option of the transport; a server inside"):
        Session("memory:", timeout=3.0)
