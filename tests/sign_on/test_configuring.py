"""Settings of signing on come from a file, the environment and the command line, by one name each."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from callsheet.cli.commands import callsheet as commands
from callsheet.errors import UsageError
from callsheet.server.sign_on.configuring import faults_of, gathered

FILE = """
same_site = "strict"

[authentication.oidc]
issuer = "https://login.example.org"
client_id = "callsheet"
client_secret = "the secret of callsheet"

[authentication.oidc.roles]
artists = "user"
"cn=td,dc=example" = "admin"

[jwt]
issuer = "https://tokens.example.org"
audience = "callsheet"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "server.toml"
    found.write_text(FILE)
    return found


def test_the_later_origin_wins(file: Path) -> None:
    """The environment over the file, the command line over both."""
    environment = {"CALLSHEET_AUTHENTICATION_OIDC_CLIENT_ID": "from the environment", "CALLSHEET_JWT_AUDIENCE": "a"}
    found = gathered(file, environment, ["jwt.audience=b"])
    assert found.authentication["oidc"]["client_id"] == "from the environment"
    assert found.authentication["oidc"]["roles"] == {"artists": "user", "cn=td,dc=example": "admin"}
    assert found.authentication["jwt"]["audience"] == "b"
    assert found.same_site == "strict"
    assert faults_of(found) == []


def test_lists_and_tables_are_texts_in_the_environment() -> None:
    """A group may have commas and `=` in it."""
    environment = {
        "CALLSHEET_AUTHENTICATION_LDAP_URL": "ldaps://ldap.example.org",
        "CALLSHEET_AUTHENTICATION_LDAP_BASE": "dc=example,dc=org",
        "CALLSHEET_AUTHENTICATION_LDAP_ROLES": "cn=td,dc=example=admin;artists=user",
        "CALLSHEET_AUTHENTICATION_LDAP_START_TLS": "yes",
    }
    found = gathered(None, environment)
    from callsheet.server.sign_on.settings import read_sign_on

    ldap = read_sign_on(found.authentication).ldap
    assert ldap is not None
    assert (dict(ldap.roles), ldap.start_tls) == ({"cn=td,dc=example": "admin", "artists": "user"}, True)


def test_check_prints_what_holds_and_hides_secrets(file: Path) -> None:
    """With the origin of each setting."""
    done = CliRunner().invoke(commands, ["config", "check", "--config", str(file), "--set", "jwt.audience=b"])
    assert done.exit_code == 0, done.output
    assert "the secret of callsheet" not in done.output
    assert f"authentication.oidc.client_secret = (hidden)  # {file}" in done.output
    assert "jwt.audience = 'b'  # --set" in done.output
    assert done.output.endswith("These settings are fine.\n")


def test_all_faults_are_named_at_once(file: Path) -> None:
    """Not one after the other."""
    wrong = ["jwt.issuer=http://evil.example", "authentication.oidc.scopes=profile", "same_site=none"]
    faults = faults_of(gathered(file, {}, wrong))
    assert len(faults) == 3, faults
    for part in ("`jwt.issuer` starts with https://", "lacks `openid`", "`same_site` none needs HTTPS"):
        assert any(part in each for each in faults), (part, faults)
    done = CliRunner().invoke(commands, ["config", "check", "--config", str(file), "--set", wrong[0]])
    assert done.exit_code != 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[authentication.oidc]\nisuer = 'x'", "did you mean `authentication.oidc.issuer`"),
        ("[authentification.oidc]\nissuer = 'x'", "there is no setting `authentification.oidc.issuer`"),
        ("= 1", "is no TOML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, reason: str) -> None:
    """With what may be meant."""
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        gathered(path, {})
    assert reason in str(raised.value)


@pytest.mark.parametrize("given", ["jwt.audiense=x", "jwt.audience", "=x"])
def test_a_wrong_option_is_named(given: str) -> None:
    """With what may be meant."""
    with pytest.raises(UsageError, match="there is no setting"):
        gathered(None, {}, [given])


def test_the_command_serves_with_these_settings(tmp_path: Path) -> None:
    """`callsheet serve` with HTTPS, certificates of clients and a provider, all of one file."""
    import ssl
    import subprocess
    import sys
    import time

    import httpx
    from authority import Authority

    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    path = tmp_path / "server.toml"
    path.write_text(
        f"[https]\ncertificate = '{certificate}'\nkey = '{key}'\n[client_certificate]\nauthority = '{authority.path}'\n"
        "[authentication.oidc]\nissuer = 'https://login.example.org'\nclient_id = 'callsheet'\nname = 'Example'\n"
    )
    command = [
        sys.executable,
        "-c",
        "from callsheet.cli import main; main()",
        "serve",
        "--port",
        "0",
        "--config",
        str(path),
    ]
    database = f"sqlite:///{tmp_path / 'a.db'}"
    process = subprocess.Popen([*command, "--database", database], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = next(line.split()[2] for line in process.stdout if line.startswith("Serving at "))
        context = ssl.create_default_context(cafile=authority.path)
        context.load_cert_chain(*authority.issue("admin"))
        with httpx.Client(verify=context, base_url=address) as client:
            while process.poll() is None:
                # The address is printed a moment before the server listens.
                try:
                    client.get("/healthz")
                    break
                except httpx.ConnectError:
                    time.sleep(0.05)
            assert client.get("/v1/me").json()["account"] == "admin"
            assert client.get("/explorer/x/ways").json()["oidc"] == {"name": "Example"}
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
