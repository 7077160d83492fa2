"""The verbs of both kinds of hub: each is declared once, as a flow (``hub_flows.py``)."""

from __future__ import annotations

from callsheet.core.verb import Verb
from callsheet.session import hub_flows
from callsheet.session.waiting import WaitingHub

__all__ = ["TalkingHub"]


class TalkingHub(WaitingHub):
    """A hub with its verbs, which block or are awaited."""

    disconnect = Verb(hub_flows.disconnect)
    publish = Verb(hub_flows.publish)
    publish_reply = Verb(hub_flows.publish_reply)
    request = Verb(hub_flows.request)
    wait = Verb(hub_flows.wait)
