"""A real API server: kube-apiserver and etcd, and a hand on both of them.

There is no controller manager: nobody collects garbage, nobody makes service account Secrets,
a deleted namespace stays ``Terminating``.
"""

import http.client
import json
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from kube.audit import POLICY, Entry, parse_log
from kube.launch import LOOPBACK, NAME, apiserver_command, etcd_command
from kube.process import Program
from kube.requirements import missing
from kube.resources import Known, resource_path, sort_for_creation

from wormhole.cluster.api import APPLY, NAMESPACE, Object
from wormhole.cluster.connection import Connection, connect
from wormhole.cluster.errors import ApiError

ADMIN: Final = "admin"
_START: Final = 120.0
"""Seconds it may take to be ready; three or four on an idle machine."""


class ApiServer:
    """A cluster's API on one address, from entering the context until leaving it.

    ``wrapper`` is put before each command, such as ``("nsenter", "--net=/proc/PID/ns/net")``: the
    server then lives in that network namespace, on ``address``. This process reaches it through a
    relay; :meth:`kubeconfig` says which way to go. ``users`` are further users, with their groups.
    """

    def __init__(
        self,
        folder: Path,
        *,
        wrapper: Sequence[str] = (),
        address: str = LOOPBACK,
        users: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.folder = folder
        self.address = address
        self.port, self._etcd_port, peer_port = _free_ports(3)
        self.url = f"https://{address}:{self.port}"
        """As programs on ``address``'s network see it."""
        self._near_end, self._near_etcd = (address, self.port), self._etcd_port
        self._wrapper = tuple(wrapper)
        self._users = {ADMIN: ("system:masters",), **(users or {})}
        self._tokens = {user: secrets.token_hex(16) for user in self._users}
        self._stack = ExitStack()
        self._known: Known = {}
        etcd = etcd_command(folder, self._etcd_port, peer_port)
        self._etcd = Program(etcd, folder / "etcd.log", wrapper=wrapper)
        command = apiserver_command(folder, address, self.port, self._etcd_port)
        self._apiserver = Program(command, folder / "apiserver.log", wrapper=wrapper)

    def __enter__(self) -> Self:
        if reasons := missing():
            raise RuntimeError(f"no API server here: {'; '.join(reasons)}")
        with ExitStack() as stack:
            self._prepare()
            for program in (self._etcd, self._apiserver):
                stack.callback(program.kill)
                program.start()
            if self._wrapper:
                self._near_end = (LOOPBACK, self._relay(stack, self.address, self.port))
                self._near_etcd = self._relay(stack, LOOPBACK, self._etcd_port)
            self._wait_until_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # --- who asks ---

    def kubeconfig(self, user: str = ADMIN, *, near: bool = True) -> Path:
        """Return the kubeconfig of a user; ``near`` False: for programs on the server's network."""
        return self._write_kubeconfig(user, {"token": self._tokens[user]}, near=near)

    def token(self, namespace: str, service_account: str, seconds: int = 3600) -> str:
        """Return a new token of a service account, as the kubelet asks for one for a pod."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        spec = {"expirationSeconds": seconds, "audiences": [f"https://{NAME}"]}
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        found: str = self.admin.create(path, review)["status"]["token"]
        return found

    def kubeconfig_for(
        self, service_account: str, namespace: str = NAMESPACE, *, near: bool = True
    ) -> Path:
        """Return a kubeconfig whose ``tokenFile`` holds a new token of the service account."""
        name = f"{namespace}-{service_account}"
        file = self.folder / f"{name}.token"
        file.write_text(self.token(namespace, service_account))
        return self._write_kubeconfig(name, {"tokenFile": str(file)}, near=near)

    @property
    def certificate(self) -> Path:
        """The certificate to trust, in PEM: what a pod finds as ``ca.crt``."""
        return self.folder / "certs" / "apiserver.crt"

    # --- what is in it ---

    @cached_property
    def admin(self) -> Connection:
        """Our own connection, allowed everything."""
        return connect(self.kubeconfig())

    def apply(self, *objects: Object) -> tuple[Object, ...]:
        """Apply objects as admin; those that others need come first, and are waited for."""
        return tuple(self._apply(found) for found in sort_for_creation(objects))

    def delete(self, path: str) -> None:
        """Delete an object, or with a collection's path all of them; missing is well."""
        try:
            self.admin.request("DELETE", path)
        except ApiError as error:
            if not error.missing:
                raise

    def path(self, document: Object) -> str:
        """Return the path under which the server keeps an object."""
        return resource_path(self.admin, document, self._known)

    def audit(self) -> tuple[Entry, ...]:
        """Return every request answered so far."""
        with (self.folder / "audit.log").open(encoding="utf-8") as log:
            return parse_log(log)

    # --- what happens to it ---

    def pause(self) -> None:
        """Stop the server: connections stay, and nobody answers."""
        self._apiserver.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a stopped server go on."""
        self._apiserver.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the server as a power failure would; etcd keeps the data."""
        self._apiserver.kill()

    @property
    def running(self) -> bool:
        """Whether the server was not killed; one that is paused runs."""
        return not self._apiserver.ended

    def start_again(self) -> None:
        """Start a killed server on the same port, with the same data; wait until it is ready."""
        self._apiserver.start()
        self._wait_until_ready()

    def save(self, backup: Path) -> None:
        """Copy the data as they are now, as a backup does."""
        self._etcd.signal(signal.SIGSTOP)
        shutil.copytree(self.folder / "etcd", backup)
        self._etcd.signal(signal.SIGCONT)

    def restore(self, backup: Path) -> None:
        """Put saved data in the place of the present ones; the server starts again on them."""
        for program in (self._apiserver, self._etcd):
            program.kill()
        shutil.rmtree(self.folder / "etcd")
        shutil.copytree(backup, self.folder / "etcd")
        self._etcd.start()
        self.start_again()

    def compact(self) -> None:
        """Make etcd forget every version but the present one, as it does each five minutes."""
        found = self._ask_etcd("/v3/kv/range", {"key": "AA=="})
        self._ask_etcd(
            "/v3/kv/compaction", {"revision": found["header"]["revision"], "physical": True}
        )

    # --- how it runs ---

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        key = self.folder / "service-accounts.key"
        command = ("openssl", "genrsa", "-out", str(key), "2048")
        subprocess.run(command, check=True, capture_output=True)
        (self.folder / "audit.json").write_text(json.dumps(POLICY))
        lines = [
            f'{self._tokens[user]},{user},{user},"{",".join(groups)}"\n'
            for user, groups in self._users.items()
        ]
        (self.folder / "tokens.csv").write_text("".join(lines))

    def _relay(self, stack: ExitStack, address: str, port: int) -> int:
        listener = stack.enter_context(socket.create_server((LOOPBACK, 0)))
        script = str(Path(__file__).with_name("relay.py"))
        command = (sys.executable, script, str(listener.fileno()), address, str(port))
        program = Program(command, self.folder / f"relay-{port}.log", wrapper=self._wrapper)
        stack.callback(program.kill)
        program.start(pass_fds=[listener.fileno()])
        near: int = listener.getsockname()[1]
        return near

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START
        while not self._is_ready():
            for program in (self._etcd, self._apiserver):
                if program.ended or time.monotonic() > deadline:
                    raise RuntimeError(f"the API server does not start:\n{program.last_words()}")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        host, port = self._near_end
        connection = http.client.HTTPSConnection(host, port, timeout=5, context=context)
        try:
            authorization = f"Bearer {self._tokens[ADMIN]}"
            connection.request("GET", "/readyz", headers={"Authorization": authorization})
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _ask_etcd(self, path: str, question: Object) -> Object:
        connection = http.client.HTTPConnection(LOOPBACK, self._near_etcd, timeout=10)
        try:
            connection.request("POST", path, json.dumps(question))
            answer: Object = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()

    def _write_kubeconfig(self, name: str, user: Mapping[str, str], *, near: bool) -> Path:
        host, port = self._near_end if near else (self.address, self.port)
        path = self.folder / f"{name}{'' if near else '-inside'}.kubeconfig"
        cluster = {
            "server": f"https://{host}:{port}",
            "certificate-authority": str(self.certificate),
            "tls-server-name": NAME,
        }
        context = {"cluster": "test", "user": name}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": name, "user": dict(user)}],
            "contexts": [{"name": "test", "context": context}],
            "current-context": "test",
        }
        path.write_text(json.dumps(document))
        return path

    def _apply(self, document: Object) -> Object:
        query = {"fieldManager": "tests", "force": "true"}
        stored = self.admin.patch(self.path(document), document, APPLY, query)
        if document["kind"] == "CustomResourceDefinition":
            self._wait_until_served(stored)
        return stored

    def _wait_until_served(self, definition: Object) -> None:
        spec = definition["spec"]
        path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        deadline = time.monotonic() + _START
        while True:
            try:
                self.admin.get(path, {"limit": "1"})
            except ApiError as error:
                if not error.missing or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return


def _free_ports(count: int) -> tuple[int, ...]:
    """Return ports that nobody listens on now. All are held until all are found."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(count)]
        return tuple(found.getsockname()[1] for found in held)
