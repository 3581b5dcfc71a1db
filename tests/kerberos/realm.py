"""A Kerberos realm of our own in a temporary folder, on 127.0.0.1 and gone with the program.

Its key distribution centre is MIT's: Debian's packages krb5-kdc, krb5-admin-server (kadmin.local)
and krb5-user (kinit).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

NAME: Final = "PGALLOP.TEST"
# Who is in it: a role of the server's, and somebody who is none.
ROLE: Final = "ada"
STRANGER: Final = "mallory"
PASSWORD: Final = "open sesame"

PROGRAMS: Final = ("krb5kdc", "kdb5_util", "kadmin.local", "kinit", "klist")

# Debian has the programs of the administrator there, which is not on everybody's path.
SEARCHED: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"

_KRB5_CONF: Final = """
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
    }}
"""

# The folder's own log: what the centre was asked, and what it said to that.
_KDC_CONF: Final = """
[kdcdefaults]
    kdc_listen = 127.0.0.1:{port}
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {realm} = {{
        database_name = {folder}/principal
        key_stash_file = {folder}/stash
        acl_file = {folder}/acl
        max_life = 1h
    }}
[logging]
    kdc = FILE:{folder}/kdc.log
    default = FILE:{folder}/kdc.log
"""


class Realm:
    """The realm, from entry to exit; `environment` leads Kerberos' libraries to it.

    The server's key is in `keytab`, which any account may read: it is of no use elsewhere.
    """

    def __init__(self) -> None:
        self.folder = Path()
        self.port = 0
        self._centre: subprocess.Popen[bytes] | None = None

    @property
    def keytab(self) -> Path:
        return self.folder / "server.keytab"

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables for programs that are to use this realm and nothing of the system's."""
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{self.folder / 'tickets'}",
            "KRB5_KTNAME": f"FILE:{self.keytab}",
            "KRB5_CLIENT_KTNAME": f"FILE:{self.folder / 'no.keytab'}",
            "KRB5RCACHENAME": "none:",
        }

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="pgallop-realm-"))
        try:
            self.folder.chmod(0o755)  # the server is another account's
            self.port = free_port()
            for name, text in (("krb5.conf", _KRB5_CONF), ("kdc.conf", _KDC_CONF)):
                text = text.format(realm=NAME, port=self.port, folder=self.folder)
                (self.folder / name).write_text(text)
            self.run("kdb5_util", "create", "-s", "-r", NAME, "-P", "master")
            self._start()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()

    def add(self, principal: str, password: str) -> None:
        """Make a principal with a password, such as "ada"."""
        self.run("kadmin.local", "-r", NAME, "addprinc", "-pw", password, principal)

    def add_service(self, principal: str, *, keep_key: bool = True) -> None:
        """Make a service's principal, such as "postgres/localhost", with its key in the keytab."""
        self.run("kadmin.local", "-r", NAME, "addprinc", "-randkey", principal)
        if keep_key:
            self.run("kadmin.local", "-r", NAME, "ktadd", "-k", str(self.keytab), principal)
            self.keytab.chmod(0o644)

    def log_in(self, principal: str, password: str, *options: str) -> None:
        """Get a ticket, in the place of those that there are."""
        self.run("kinit", *options, principal, input=password + "\n")

    def log_out(self) -> None:
        """Throw all tickets away."""
        (self.folder / "tickets").unlink(missing_ok=True)

    def freeze(self) -> None:
        """Let the centre hear everything and say nothing, until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def run(self, program: str, *arguments: str, input: str = "") -> str:
        """Run one of the programs; what it prints."""
        path = shutil.which(program, path=SEARCHED)
        assert path is not None, f"{program} is not installed"
        done = subprocess.run(
            [path, *arguments],
            env={**os.environ, **self.environment},
            input=input,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program} {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def _start(self) -> None:
        path = shutil.which("krb5kdc", path=SEARCHED)
        assert path is not None
        with (self.folder / "centre.out").open("wb") as output:
            self._centre = subprocess.Popen(
                [path, "-n", "-r", NAME],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + 30
        while not listens(self.port):
            assert self._centre.poll() is None, (self.folder / "centre.out").read_text()
            assert time.monotonic() < deadline, "the key distribution centre does not start"
            time.sleep(0.02)

    def _signal(self, number: signal.Signals) -> None:
        assert self._centre is not None
        self._centre.send_signal(number)

    def _leave(self) -> None:
        if self._centre is not None:
            self._centre.kill()
            self._centre.wait()
        shutil.rmtree(self.folder)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
