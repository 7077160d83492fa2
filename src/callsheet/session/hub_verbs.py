"""What a hub can do, in both colours: each verb is declared once, as a flow (``hub_flows.py``)."""

from __future__ import annotations

from callsheet.core.verb import Verb
from callsheet.session import hub_flows
from callsheet.session.waiting import WaitingHub

__all__ = ["TalkingHub"]


class TalkingHub(WaitingHub):
    """The verbs of a hub, blocking or awaited."""

    disconnect = Verb(hub_flows.disconnect)
    publish = Verb(hub_flows.publish)
    publish_reply = Verb(hub_flows.publish_reply)
    request = Verb(hub_flows.request)
    wait = Verb(hub_flows.wait)
