"""The vendor's event hub on our server: connecting, subscribing, publishing, replying, and being told of changes."""

import threading
import time

import ftrack_api
import ftrack_api.event.base
import ftrack_api.event.hub
import ftrack_api.exception
import requests
import websocket

Event = ftrack_api.event.base.Event


def connected(place):
    """A session whose hub is connected."""
    session = place.fresh(auto_connect_event_hub=False)
    session.event_hub.connect()
    return session


def until(session, done, seconds=20):
    """Let a hub's callbacks run until something holds."""
    end = time.time() + seconds
    while not done() and time.time() < end:
        session.event_hub.wait(0.1)
    assert done(), "it did not come"


def settled(hub):
    """Have the server answer everything that was sent before."""
    answered = threading.Event()
    event = Event("callsheet-checks.settled")
    hub._prepare_event(event)
    hub._emit_event_packet("ftrack.event", event, lambda *_: answered.set())
    assert answered.wait(20)


def hub_of(place):
    """A hub without a session, connected."""
    hub = ftrack_api.event.hub.EventHub(place.url, place.user, place.key)
    hub.connect()
    return hub


def check_connect(place):
    """A session connects its hub, which is told that it is."""
    session = place.fresh(auto_connect_event_hub=False)
    told = []
    session.event_hub.subscribe("topic=ftrack.meta.connected", lambda event: told.append(event["topic"]))
    session.event_hub.connect()
    assert session.event_hub.connected
    until(session, lambda: told)
    session.event_hub.disconnect()
    assert not session.event_hub.connected


def check_wrong_key(place):
    """A hub with a wrong key is refused, and so is a socket without a session."""
    hub = ftrack_api.event.hub.EventHub(place.url, place.user, "wrong")
    try:
        hub.connect()
    except ftrack_api.exception.EventHubConnectionError as error:
        told = str(error)
    else:
        raise AssertionError("a wrong key was let in")
    assert "401" in told
    address = place.url.replace("http", "ws") + "/socket.io/1/websocket/"
    for session in ("made-up", "", "../../healthz"):
        try:
            websocket.create_connection(address + session, timeout=10).close()
        except websocket.WebSocketException:
            continue
        raise AssertionError("a socket was opened without a key")


def check_session_is_for_one_socket(place):
    """What a handshake gives opens one socket, not two."""
    headers = {"ftrack-user": place.user, "ftrack-api-key": place.key}
    told = requests.get(place.url + "/socket.io/1/", headers=headers).text.split(":")
    assert told[1:] == ["15", "25", "websocket"]
    again = requests.get(place.url + "/socket.io/1/", params={"api_user": place.user, "api_key": place.key})
    assert again.status_code == 200
    address = place.url.replace("http", "ws") + "/socket.io/1/websocket/" + told[0]
    first = websocket.create_connection(address, timeout=10)
    try:
        assert first.recv() == "1::"
        websocket.create_connection(address, timeout=10).close()
    except websocket.WebSocketException:
        pass
    else:
        raise AssertionError("the session was taken twice")
    finally:
        first.close()


def check_own_events_come_back(place):
    """Who publishes and subscribes gets the own event, once, as it was sent."""
    session = connected(place)
    told = []
    session.event_hub.subscribe("topic=checks.own and data.kind=wanted", told.append)
    session.event_hub.subscribe("topic=checks.own", lambda event: None)
    session.event_hub.publish(Event("checks.own", data={"kind": "other"}))
    sent = Event("checks.own", data={"kind": "wanted", "shot": {"name": "é:{}"}})
    session.event_hub.publish(sent)
    last = []
    session.event_hub.subscribe("topic=checks.own-end", last.append)
    session.event_hub.publish(Event("checks.own-end"))
    until(session, lambda: last)
    assert [event["id"] for event in told] == [sent["id"]]
    (event,) = told
    assert event["data"] == {"kind": "wanted", "shot": {"name": "é:{}"}}
    assert event["source"]["id"] == session.event_hub.id
    assert event["source"]["user"]["username"] == place.user
    assert event["source"]["user"]["id"] == session.query(f"User where username is {place.user}").one()["id"]
    assert event["target"] == ""
    assert event["in_reply_to_event"] is None


def check_another_hub_is_told(place):
    """An event reaches the subscribers of other hubs that it is for, in the order of publishing, and no others."""
    here, there = connected(place), connected(place)
    told, others = [], []
    there.event_hub.subscribe("topic=checks.order", lambda event: told.append(event["data"]["number"]))
    there.event_hub.subscribe("topic=checks.other", others.append)
    settled(there.event_hub)
    for number in range(50):
        here.event_hub.publish(Event("checks.order", data={"number": number}))
    until(there, lambda: len(told) == 50)
    assert told == list(range(50))
    assert others == []


def check_unsubscribe(place):
    """After unsubscribing nothing comes any more."""
    session = connected(place)
    told, last = [], []
    name = session.event_hub.subscribe("topic=checks.gone", told.append)
    session.event_hub.subscribe("topic=checks.gone-end", last.append)
    session.event_hub.unsubscribe(name)
    settled(session.event_hub)
    session.event_hub.publish(Event("checks.gone"))
    session.event_hub.publish(Event("checks.gone-end"))
    until(session, lambda: last)
    assert told == []


def check_bad_subscription(place):
    """A subscription that cannot be read is refused in the acknowledgement; so is an unknown one's end."""
    hub = hub_of(place)
    answers = []

    def ask(topic, data):
        event = Event(topic, data=data)
        hub._prepare_event(event)
        hub._emit_event_packet("ftrack.event", event, answers.append)

    ask("ftrack.meta.subscribe", {"subscriber": {"id": "one"}, "subscription": "topic=("})
    ask("ftrack.meta.subscribe", {"subscriber": {"id": "two"}, "subscription": "topic=fine"})
    ask("ftrack.meta.subscribe", {"subscriber": {"id": "two"}, "subscription": "topic=fine"})
    ask("ftrack.meta.unsubscribe", {"subscriber": {"id": "three"}})
    ask("ftrack.update", {"entities": []})
    settled(hub)
    assert [answer["success"] for answer in answers] == [False, True, False, False, False]
    assert all(answer["message"] for answer in answers if not answer["success"])
    hub.disconnect()


def check_reply(place):
    """What a callback returns comes back to who published, as a reply."""
    here, there = connected(place), connected(place)
    replies = []
    there.event_hub.subscribe("topic=checks.ask", lambda event: {"answer": event["data"]["number"] + 1})
    settled(there.event_hub)
    here.event_hub.publish(Event("checks.ask", data={"number": 41}), on_reply=replies.append)
    end = time.time() + 20
    while not replies and time.time() < end:
        there.event_hub.wait(0.05)
        here.event_hub.wait(0.05)
    (reply,) = replies
    assert reply["topic"] == "ftrack.meta.reply"
    assert reply["data"] == {"answer": 42}


def check_synchronous(place):
    """A synchronous event stays here, and its results come at once."""
    session, other = connected(place), connected(place)
    told = []
    other.event_hub.subscribe("topic=checks.sync", told.append)
    session.event_hub.subscribe("topic=checks.sync", lambda event: event["data"]["number"] * 2)
    assert session.event_hub.publish(Event("checks.sync", data={"number": 4}), synchronous=True) == [8]
    other.event_hub.wait(0.3)
    assert told == []


def check_targets(place):
    """An event with a target reaches the subscribers whose data fulfil it."""
    session = connected(place)
    told = []
    for role in ("farm-1", "farm-2", "desk"):
        session.event_hub.subscribe(
            "topic=checks.target", lambda event, role=role: told.append(role), subscriber={"role": role}
        )
    last = []
    session.event_hub.subscribe("topic=checks.target-end", last.append)
    session.event_hub.publish(Event("checks.target", target="role=farm-2 or role=desk"))
    session.event_hub.publish(Event("checks.target", target="role=nobody"))
    session.event_hub.publish(Event("checks.target-end"))
    until(session, lambda: last)
    assert told == ["farm-2", "desk"]


def check_updates(place):
    """Every change is told as the vendor's update: created, changed, moved and deleted."""
    session = connected(place)
    updates = []
    session.event_hub.subscribe("topic=ftrack.update", updates.append)
    settled(session.event_hub)

    def about(entity, action):
        found = [
            (event, told)
            for event in updates
            for told in event["data"]["entities"]
            if told["entityId"] == entity["id"] and told["action"] == action
        ]
        return found[0] if found else None

    watcher = place.fresh()
    project = watcher.create("Project", {"name": place.name("project"), "full_name": "Events"})
    watcher.commit()
    shot = watcher.create("Shot", {"name": "010", "parent": project})
    task = watcher.create("Task", {"name": "comp", "parent": shot})
    watcher.commit()
    before, after = task["status_id"], next(each for each in watcher.query("Status") if each["id"] != task["status_id"])
    task["status"] = after
    watcher.commit()
    # The line of parents is that of the moment when an update is told.
    until(session, lambda: about(task, "update"))
    task["parent"] = project
    watcher.commit()
    watcher.delete(task)
    watcher.commit()

    until(session, lambda: about(task, "remove"))
    event, told = about(project, "add")
    assert (told["entityType"], told["entity_type"], told["parentId"]) == ("show", "Project", None)
    assert told["changes"]["name"] == {"old": None, "new": project["name"]}
    event, told = about(task, "add")
    # One commit is one event.
    assert about(shot, "add")[0]["id"] == event["id"]
    assert (told["entityType"], told["entity_type"]) == ("task", "Task")
    assert told["changes"]["showid"]["new"] == project["id"]
    event, told = about(task, "update")
    assert told["keys"] == ["statusid"]
    assert told["changes"] == {"statusid": {"old": before, "new": after["id"]}}
    assert told["objectTypeId"] == task["object_type_id"]
    assert told["parentId"] == shot["id"]
    assert [(each["entityType"], each["entityId"], each["parentId"]) for each in told["parents"]] == [
        ("task", task["id"], shot["id"]),
        ("task", shot["id"], project["id"]),
        ("show", project["id"], None),
    ]
    assert event["data"]["user"]["userid"] == session.query(f"User where username is {place.user}").one()["id"]
    assert event["data"]["clientToken"] is None
    assert set(event["data"]["parents"]) >= {task["id"], shot["id"], project["id"]}
    event, told = about(task, "move")
    assert told["changes"]["parent_id"] == {"old": shot["id"], "new": project["id"]}
    event, told = about(task, "remove")
    assert told["parents"][-1]["entityId"] == project["id"]


def check_custom_attributes_are_told(place):
    """A custom attribute's change goes by its key."""
    session = connected(place)
    updates = []
    session.event_hub.subscribe("topic=ftrack.update", updates.append)
    settled(session.event_hub)
    task = place.task()
    keys = [key for key in task["custom_attributes"] if isinstance(task["custom_attributes"][key], str)]
    assert keys
    task["custom_attributes"][keys[0]] = "told"
    place.session.commit()
    wanted = []

    def come():
        wanted[:] = [
            told["changes"]
            for event in updates
            for told in event["data"]["entities"]
            if told["entityId"] == task["id"] and keys[0] in told["changes"]
        ]
        return wanted

    until(session, come)
    assert wanted[0][keys[0]]["new"] == "told"


def check_client_token(place):
    """A client that names itself finds the name in what it changed."""
    session = connected(place)
    updates = []
    session.event_hub.subscribe("topic=ftrack.update", updates.append)
    settled(session.event_hub)
    project = place.project()
    headers = {"ftrack-user": place.user, "ftrack-api-key": place.key, "ftrack-Clienttoken": "checks--7"}
    data = {"__entity_type__": "Project", "full_name": "Told"}
    operation = {"action": "update", "entity_type": "Project", "entity_key": [project["id"]], "entity_data": data}
    assert requests.post(place.url + "/api", headers=headers, json=[operation]).status_code == 200
    until(session, lambda: any(event["data"]["clientToken"] == "checks--7" for event in updates))


def check_nobody_is_told_what_they_may_not_read(place):
    """A hub hears of no change that its user may not read."""
    from callsheet_keys import nobody_key, nobody_user

    session = place.fresh(api_user=nobody_user, api_key=nobody_key, auto_connect_event_hub=False)
    session.event_hub.connect()
    told, last = [], []
    session.event_hub.subscribe("topic=ftrack.update", told.append)
    session.event_hub.subscribe("topic=checks.secret-end", last.append)
    settled(session.event_hub)
    place.task()
    hub = hub_of(place)
    hub.publish(Event("checks.secret-end"))
    until(session, lambda: last)
    assert told == []
    hub.disconnect()


def check_wild_frames_harm_nobody(place):
    """Frames that are no packets end at most their own connection."""
    session = connected(place)
    told = []
    session.event_hub.subscribe("topic=checks.wild", told.append)
    settled(session.event_hub)
    headers = {"ftrack-user": place.user, "ftrack-api-key": place.key}
    wild = [
        "", ":", "9", "5", "5:::", "5:1+::{", "5:1+::[]", "5:x::{}", "5:::" + "[" * 5000, "6:::x+[", "7:::", "8::",
        "\x00",
        '5:1+::{"name": "ftrack.event", "args": [7]}', '5:1+::{"name": "ftrack.event", "args": [{"topic": 7}]}',
        '5:1+::{"name": "ftrack.event", "args": [{"topic": "a", "id": "\\ud800"}]}',
        '5:1+::{"name": "ftrack.event", "args": [{"topic": "ftrack.meta.subscribe", "data": []}]}',
        "5:1+::" + '{"name": "ftrack.event", "args": [{"topic": "a", "data": ' + "[" * 400 + "]" * 400 + "}]}",
    ]  # fmt: skip
    for frame in wild:
        name = requests.get(place.url + "/socket.io/1/", headers=headers).text.split(":")[0]
        socket = websocket.create_connection(place.url.replace("http", "ws") + "/socket.io/1/websocket/" + name)
        socket.send(frame)
        socket.send("5:77+::" + '{"name": "ftrack.event", "args": [{"topic": "checks.still-there"}]}')
        socket.settimeout(20)
        while not socket.recv().startswith("6:::77+"):
            pass
        socket.close()
    for frame in ("5:::" + "x" * (600 * 1024), "5:::" + "x" * (3 * 1024 * 1024)):
        name = requests.get(place.url + "/socket.io/1/", headers=headers).text.split(":")[0]
        socket = websocket.create_connection(place.url.replace("http", "ws") + "/socket.io/1/websocket/" + name)
        socket.settimeout(20)
        try:
            socket.send(frame)
            while socket.recv():
                pass
        except (websocket.WebSocketException, OSError):
            pass
        socket.close()
    session.event_hub.publish(Event("checks.wild"))
    until(session, lambda: told)


def check_heartbeat(place):
    """The server's heart beats more often than clients give up, and a hub that answers stays connected."""
    session = connected(place)
    beats = []
    received = session.event_hub._handle_packet

    def handle(code, *rest):
        if code == "2":
            beats.append(time.time())
        return received(code, *rest)

    session.event_hub._handle_packet = handle
    until(session, lambda: len(beats) >= 2, 40)
    assert beats[1] - beats[0] < 15
    assert session.event_hub.connected
