"""Programs present a certificate by mutual TLS, to a server process that trusts the authority of the test."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from attrs import define
from authority import DAY, NOW, Authority

import callsheet
from callsheet.errors import TransportError, Unauthorised, UsageError


@define
class Site:
    """A server by HTTPS, and the authority of its clients."""

    server: callsheet.Server
    authority: Authority
    revoked: Path

    def session(self, files: tuple[Path, Path] | None, **more: object) -> callsheet.Session:
        options = {"verify": self.authority.path, "certificate": files, "schema_cache": False, **more}
        return callsheet.Session(self.server.url, **options)

    def get(self, files: tuple[Path, Path], **headers: str) -> httpx.Response:
        context = ssl.create_default_context(cafile=self.authority.path)
        context.load_cert_chain(*files)
        with httpx.Client(verify=context) as client:
            return client.get(
                f"{self.server.url}/v1/me", headers={name.replace("_", "-"): v for name, v in headers.items()}
            )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    authority = Authority(folder)
    certificate, key = authority.issue("localhost")
    revoked = folder / "revoked.pem"
    authority.revoke(revoked)
    with callsheet.serve(
        "production",
        database=f"sqlite:///{folder / 'a.db'}",
        admin_key="the key of the administrator",
        https={"certificate": str(certificate), "key": str(key)},
        client_certificate={"authority": str(authority.path), "revoked": str(revoked)},
    ) as server:
        found = Site(server, authority, revoked)
        with found.session(None, api_key="the key of the administrator") as admin:
            admin.call("users.add", name="farm", role="user")
        yield found


def test_a_certificate_stands_for_its_account(site: Site) -> None:
    """No key is needed; who the session is stands in the certificate. Nobody else's key is asked for."""
    with site.session(site.authority.issue("farm")) as session:
        assert session.call("own.account")["account"] == "farm"
        session.create("Project", {"name": "by certificate"})
        session.commit()


def test_a_connection_without_a_certificate_needs_a_key(site: Site) -> None:
    """As before."""
    with site.session(None, api_key="the key of the administrator") as session:
        assert session.call("own.account")["account"] == "admin"
    with pytest.raises(Unauthorised), site.session(None, api_key="cs_wrong_key") as session:
        session.call("own.account")


def test_a_certificate_of_no_account_is_refused(site: Site) -> None:
    """The message names whom it is issued to."""
    nobody = site.authority.issue("nobody")
    with pytest.raises(Unauthorised, match="issued to `nobody`"), site.session(nobody) as session:
        session.call("own.account")


def test_a_certificate_of_another_authority_opens_no_connection(site: Site, tmp_path: Path) -> None:
    """TLS refuses it, whatever its subject."""
    other = Authority(tmp_path, "Other Authority")
    with pytest.raises(TransportError), site.session(other.issue("farm"), retries=0) as session:
        session.call("own.account")


def test_an_expired_certificate_is_refused(site: Site) -> None:
    """And one that is not valid yet."""
    for files in (
        site.authority.issue("farm", NOW - 9 * DAY, NOW - DAY),
        site.authority.issue("farm", NOW + DAY, NOW + 9 * DAY),
    ):
        with pytest.raises((TransportError, Unauthorised)), site.session(files, retries=0) as session:
            session.call("own.account")


def test_a_revoked_certificate_is_refused_on_open_connections_too(site: Site) -> None:
    """The list is read again when it changes: the next look, a second later at most, refuses."""
    from callsheet.server.access.authentication import REMEMBERED_SECONDS

    with site.session(site.authority.issue("farm")) as session:
        assert session.call("own.account")["account"] == "farm"
        site.authority.revoke(site.revoked, "farm")
        try:
            import time

            time.sleep(REMEMBERED_SECONDS)
            with pytest.raises(Unauthorised, match="was revoked"):
                session.call("own.account")
        finally:
            site.authority.revoke(site.revoked)


def test_a_list_of_somebody_else_or_out_of_date_refuses(site: Site, tmp_path: Path) -> None:
    """What cannot be known counts as revoked."""
    files = site.authority.issue("farm")
    forged = Authority(tmp_path, site.authority.name)
    try:
        site.authority.revoke(site.revoked, end=NOW - DAY)
        assert "out of date" in site.get(files).text
        forged.revoke(site.revoked)
        assert "no list of revoked certificates" in site.get(site.authority.issue("farm")).text
        site.revoked.write_bytes(b"-----BEGIN X509 CRL-----\nnonsense")
        assert "cannot be read" in site.get(site.authority.issue("farm")).text
    finally:
        site.authority.revoke(site.revoked)
    assert site.get(site.authority.issue("farm")).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}, {"cookie": "a=b"}]
)
def test_a_browser_is_not_signed_in_by_its_certificate(site: Site, headers: dict[str, str]) -> None:
    """CSRF: browsers present certificates with requests that other sites cause."""
    assert site.get(site.authority.issue("farm"), **headers).status_code == 401


def test_headers_are_no_certificate(site: Site) -> None:
    """What a proxy would write into headers, anybody can."""
    with httpx.Client(verify=ssl.create_default_context(cafile=site.authority.path)) as client:
        forged = {"x-ssl-client-cert": "farm", "ssl-client-verify": "SUCCESS", "x-forwarded-client-cert": "CN=farm"}
        assert client.get(f"{site.server.url}/v1/me", headers=forged).status_code == 401


def test_a_key_wins_over_a_certificate(site: Site) -> None:
    """Who sends a wrong key is refused, certificate or not."""
    files = site.authority.issue("farm")
    assert site.get(files, authorization="Bearer cs_wrong").status_code == 401
    assert site.get(files, authorization="Bearer the key of the administrator").json()["account"] == "admin"


def test_an_address_or_a_table_names_the_account(tmp_path: Path) -> None:
    """`account` says what in the certificate is the name, and `accounts` which account that is."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    settings = {
        "authority": str(authority.path),
        "account": "san.email",
        "accounts": {"farm@example.org": "admin"},
        "required": True,
    }
    https = {"certificate": str(certificate), "key": str(key)}
    with callsheet.serve("lab", f"sqlite:///{tmp_path / 'a.db'}", https=https, client_certificate=settings) as server:
        site = Site(server, authority, tmp_path)
        assert site.get(authority.issue("x", email="farm@example.org")).json()["account"] == "admin"
        assert "name no account" in site.get(authority.issue("x", email="eve@example.org")).text
        assert "has 0 of `san.email`" in site.get(authority.issue("admin")).text
        with pytest.raises(TransportError), site.session(None, api_key="x" * 20, retries=0) as session:
            session.call("own.account")


def test_certificates_need_https_and_files_that_exist(tmp_path: Path) -> None:
    """The message says which setting is wrong."""
    authority = Authority(tmp_path)
    with pytest.raises(UsageError, match="`client_certificate` needs HTTPS"):
        callsheet.serve(client_certificate={"authority": str(authority.path)})
    with pytest.raises(UsageError, match="`https` has two settings"):
        callsheet.serve(https={"certificate": "a.pem"})
    with pytest.raises(UsageError, match=r"no file `none\.pem`"):
        callsheet.Session("https://localhost:1", certificate=("none.pem", "none.key"))
    with pytest.raises(UsageError, match="is two files"):
        callsheet.Session("https://localhost:1", certificate="none.pem")
