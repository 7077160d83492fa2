"""The reference page lists the functions that there are."""

from __future__ import annotations

import re
from pathlib import Path

import callsheet.analytics.mdx.query  # noqa: F401
from callsheet.analytics.mdx.registry import FUNCTIONS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "mdx.md"


def test_the_page_lists_every_function_with_its_signature() -> None:
    """Both ways, each with what it gives."""
    text = PAGE.read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([^`]+)` \| (.+) \|$", text[text.index("## Functions") :], re.M)
    known = [(each.signature, each.compute.__doc__) for some in FUNCTIONS.values() for each in some]
    assert sorted(signature for signature, _ in listed) == sorted(signature for signature, _ in known)
    assert [signature for signature, meaning in known if not meaning] == []
