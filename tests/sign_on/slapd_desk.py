"""Debian's slapd on this machine, started by the tests in a folder of its own, and a server whose people it has."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from authority import Authority
from login_desk import QUICK, Clock
from starlette.testclient import TestClient

from callsheet.server.limits import limits_of
from callsheet.server.service import Service
from callsheet.server.sign_on.signing_on import sign_on_by
from callsheet.server.web.application import application

__all__ = ["LdapDesk", "Slapd", "open_ldap_desk", "running_slapd"]

BASE = "dc=example,dc=org"
CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile "{authority}"
TLSCertificateFile "{certificate}"
TLSCertificateKeyFile "{key}"
database mdb
suffix "{base}"
rootdn "cn=root,{base}"
rootpw "the root of the tree"
directory {folder}/data
maxsize 10485760
index uid,member eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,{base}" read by anonymous auth by * none
"""
ENTRIES = """dn: {base}
objectClass: organization
objectClass: dcObject
o: Example
dc: example

dn: cn=reader,{base}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: the password of the reader

dn: ou=people,{base}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{base}
objectClass: organizationalUnit
ou: groups

"""
PERSON = """dn: uid={uid},ou=people,{base}
objectClass: inetOrgPerson
uid: {uid}
cn: {uid}
givenName: Anna
sn: Berg
mail: {uid}@example.org
userPassword: the password of {uid}

"""
GROUP = """dn: cn={name},ou=groups,{base}
objectClass: groupOfNames
cn: {name}
member: {member}

"""


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@define
class Slapd:
    """A directory with the people anna, ben and eve, and groups in groups."""

    folder: Path
    authority: Authority
    port: int = field(factory=_free_port)
    process: Any = None

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    def make(self) -> None:
        """Write configuration and first entries."""
        certificate, key = self.authority.issue("localhost")
        (self.folder / "data").mkdir()
        places = {"folder": self.folder, "authority": self.authority.path, "certificate": certificate, "key": key}
        (self.folder / "slapd.conf").write_text(CONFIGURATION.format(base=BASE, **places))
        people = "".join(PERSON.format(uid=each, base=BASE) for each in ("anna", "ben", "eve"))
        member = f"uid=anna,ou=people,{BASE}"
        groups = GROUP.format(name="compositors", member=member, base=BASE)
        groups += GROUP.format(name="artists", member=f"cn=compositors,ou=groups,{BASE}", base=BASE)
        # Groups that contain each other.
        groups += GROUP.format(
            name="everybody", member=f"cn=artists,ou=groups,{BASE}\nmember: cn=circle,ou=groups,{BASE}", base=BASE
        )
        groups += GROUP.format(name="circle", member=f"cn=everybody,ou=groups,{BASE}", base=BASE)
        groups += GROUP.format(name="admin", member=f"uid=eve,ou=people,{BASE}", base=BASE)
        entries = (ENTRIES + people + groups).format(base=BASE)
        (self.folder / "first.ldif").write_text(entries)
        added = ["/usr/sbin/slapadd", "-f", str(self.folder / "slapd.conf"), "-l", str(self.folder / "first.ldif")]
        done = subprocess.run(added, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = open(self.folder / "slapd.log", "ab")  # noqa: SIM115
        self.process = subprocess.Popen(
            [
                "/usr/sbin/slapd",
                "-f",
                str(self.folder / "slapd.conf"),
                "-h",
                f"ldap://127.0.0.1:{self.port}",
                "-d",
                "0",
            ],
            stdout=log,
            stderr=log,
        )
        log.close()
        while True:
            assert self.process.poll() is None, (self.folder / "slapd.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def change(self, ldif: str) -> None:
        """Change entries, as the root of the tree."""
        given = [
            "ldapmodify",
            "-x",
            "-H",
            f"ldap://127.0.0.1:{self.port}",
            "-D",
            f"cn=root,{BASE}",
            "-w",
            "the root of the tree",
        ]
        done = subprocess.run(given, input=ldif.format(base=BASE), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@contextmanager
def running_slapd(folder: Path) -> Iterator[Slapd]:
    pytest.importorskip("bonsai", reason="needs the extra ldap, which is built with libldap2-dev and libsasl2-dev")
    if not Path("/usr/sbin/slapd").exists() or shutil.which("ldapmodify") is None:
        pytest.skip("needs slapd and ldap-utils: apt-get install slapd ldap-utils")
    found = Slapd(folder, Authority(folder))
    found.make()
    found.start()
    try:
        yield found
    finally:
        found.stop()


@define
class LdapDesk:
    """A server, a client of it, and the directory."""

    service: Service
    client: TestClient
    clock: Clock
    slapd: Slapd

    def login(self, name: str, password: str | None = None, address: str = "") -> Any:
        if address:
            self.client._transport.client = (address, 50_000)  # type: ignore[attr-defined]
        given = f"the password of {name}" if password is None else password
        return self.client.post("/v1/login", json={"name": name, "password": given})

    def me(self, login: Any) -> Any:
        return self.client.get("/v1/me", headers={"authorization": f"Bearer {login.json()['access_token']}"})

    def later(self, **by: float) -> None:
        self.clock.move(**by)
        self.service.accounts.changed()


@contextmanager
def open_ldap_desk(slapd: Slapd, limits: dict[str, float] | None = None, **settings: Any) -> Iterator[LdapDesk]:
    clock, chosen = Clock(datetime.now(UTC)), limits_of({**QUICK, **(limits or {})})
    given = {
        "url": slapd.url,
        "base": BASE,
        "bind_dn": f"cn=reader,{BASE}",
        "bind_password": "the password of the reader",
        "start_tls": True,
        "certificate_authority": str(slapd.authority.path),
        "roles": {"artists": "user", "pipeline": "admin"},
        **settings,
    }
    with Service.open("memory:", admin_key="the key of the administrator", clock=clock, limits=chosen) as service:
        sign_on_by(service, {"ldap": given})
        with TestClient(application(service, chosen)) as client:
            yield LdapDesk(service, client, clock, slapd)
