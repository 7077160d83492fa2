"""What the server refuses, as the vendor's client tells it."""

import ftrack_api
import requests


def check_wrong_key(place):
    """A wrong key, another user's key and no key are refused before anything else."""
    from callsheet_keys import other_user

    for options in ({"api_key": "wrong-key"}, {"api_user": other_user}, {"api_user": "nobody"}):
        place.refused(lambda options=options: place.fresh(**options), "InvalidCredentialsError")
    answer = requests.post(f"{place.url}/api", json=[{"action": "query_schemas"}])
    assert answer.status_code == 401
    assert answer.json()["error_code"] == "api_credentials_invalid"


def check_wrong_queries(place):
    """A query that cannot be read is a ParseError, in both modes, without braces."""
    for session in (place.session, place.fresh(strict_api=True)):
        for expression in (
            "select name from Task where",
            "Task where nme is x",
            "Task where name ~ x",
            "Nothing where a is b",
            "Task where bid is {a}",
            "select nme from Task",
            "Task where parent.name.x is y",
            "Task order by thumbnail_url",
            "Task where name is 'open",
        ):
            text = place.refused(
                lambda session=session, expression=expression: session.call(
                    [{"action": "query", "expression": expression}]
                ),
                "ParseError",
            )
            assert "{" not in text, text


def check_unknown_actions(place):
    """An unknown action is told by the text the client knows."""
    place.refused(lambda: place.session.call([{"action": "make_tea"}]), "Invalid action u'make_tea'")


def check_malformed_requests(place):
    """What is no list of operations is refused, and never a fault of the server."""
    headers = {
        "ftrack-user": place.user,
        "ftrack-api-key": place.key,
        "content-type": "application/json",
        "ftrack-strict-api": "true",
    }
    for body in (
        b"",
        b"{",
        b"[1]",
        b'"x"',
        b"[[]]",
        b'[{"action": 3}]',
        b'[{"action": "query"}]',
        b'[{"action": "create"}]',
        b'[{"action":"create","entity_type":"Task","entity_data":[]}]',
        b"[" * 5000,
        b'[{"action":"update","entity_type":"Task","entity_key":{"a":1},"entity_data":{}}]',
        b"\xff\xfe",
    ):
        answer = requests.post(f"{place.url}/api", data=body, headers=headers)
        assert 400 <= answer.status_code < 500, (body[:40], answer.status_code)


def check_injection(place):
    """Quotes and statements in values are values."""
    task = place.task()
    for text in (
        "'; DROP TABLE Task; --",
        '" or 1=1',
        "%' OR '1'='1",
        "\\",
        "a\\'b",
        "x' UNION SELECT key_hash FROM _account",
    ):
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        assert place.session.query(f'Task where name is "{quoted}"').all() == []
        task["description"] = text
        place.session.commit()
        assert (
            place.fresh().query(f'Task where id is {task["id"]} and description is "{quoted}"').one()["description"]
            == text
        )
    place.refused(lambda: place.session.call([{"action": "query", "expression": "_account"}]), "ParseError")
    place.refused(
        lambda: place.session.call([{"action": "query", "expression": "select _version from Task"}]), "ParseError"
    )


def check_oversized_bodies(place):
    """More than the server takes at once is refused."""
    headers = {"ftrack-user": place.user, "ftrack-api-key": place.key, "content-type": "application/json"}
    body = b'[{"action":"query","expression":"' + b"x" * (17 * 2**20) + b'"}]'
    assert requests.post(f"{place.url}/api", data=body, headers=headers).status_code == 413
    body = b"[" + b",".join([b'{"action":"query_server_information"}'] * 20_001) + b"]"
    assert requests.post(f"{place.url}/api", data=body, headers=headers).status_code == 413


def check_roles_bind_here_too(place):
    """A user who may only read cannot write."""
    from callsheet_keys import reader_key, reader_user

    session = place.fresh(api_user=reader_user, api_key=reader_key)
    assert session.query("Project").first() is not None
    session.create("Scope", {"name": "x"})
    place.refused(session.commit, "PermissionError")
    session.rollback()
    place.refused(lambda: session.get_upload_metadata("some-id", "a.txt", 1), "PermissionError")


def check_closing(place):
    """A closed session says so."""
    session = place.fresh()
    session.close()
    try:
        session.query("Task").first()
    except ftrack_api.exception.ConnectionClosedError:
        return
    raise AssertionError("it still answers")
