"""WireGuard in a process: wireguard-go (or what else speaks UAPI) behind a TUN device."""

import contextlib
import errno
import os
import socket
from pathlib import Path
from typing import Final

from applier.errors import Exists, HostError, Missing, Unobservable
from applier.host import DeviceUpdate, LiveDevice
from applier.keys import public_half
from applier.linux.wireguard import links, process, uapi
from applier.linux.wireguard.removal import prefixes_to_remove, wants_removals
from applier.paths import Paths
from applier.vault import Vault
from schemas.values import PublicKey

RUN_DIR: Final = Paths().run
SOCKET_DIR: Final = Path("/var/run/wireguard")
"""Where every implementation makes its sockets: ``<device>.sock``."""

TIMEOUT: Final = 30.0
"""Seconds for the process to take or give the next bytes."""


class UserspaceWireGuard:
    """A :class:`~applier.host.WireGuardDoor` to processes, one for each device."""

    def __init__(
        self, vault: Vault, run_dir: Path = RUN_DIR, socket_dir: Path = SOCKET_DIR
    ) -> None:
        self._vault = vault
        self._run_dir = run_dir
        self._socket_dir = socket_dir
        self._last_key_pair = (b"", PublicKey(""))

    def create(self, name: str, group: int) -> None:
        """Start a process that makes the device, down, and put that into the link group.

        The kernel does not take a group when it makes a TUN device. Until it has one, a file
        says that the device is ours (:meth:`applier.paths.Paths.starting`): if we are killed
        between the two, the next run finds it. A socket that a killed process left is no
        hindrance: the new one replaces it when nobody answers there.
        """
        process.require()
        path = self._socket(name)
        if links.link_index(name):
            raise Exists("create WireGuard device", name, "a link of that name is there")
        if process.answers(path):
            raise Exists("create WireGuard device", name, f"a process answers at {path}")
        starting = self._starting(name)
        try:
            starting.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            starting.touch(mode=0o600)
            process.start(name, path)
            links.set_group(name, group)
            starting.unlink()
        except (HostError, OSError) as error:
            # A device without its group still needs the file; nothing else does.
            if not links.link_index(name):
                starting.unlink(missing_ok=True)
            if isinstance(error, HostError):
                raise
            raise HostError("create WireGuard device", name, str(error)) from error

    def get(self, name: str) -> LiveDevice:
        """Read the whole device."""
        try:
            code, body = uapi.split_answer(self._exchange(name, uapi.GET))
            if code == 0:
                return uapi.decode_device(body, self._vault, self._public_key_of)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            # The socket's file outlives a process that was killed; then nobody listens.
            raise Missing(
                "read WireGuard device", name, _reason(error), error.errno or 0
            ) from error
        except (OSError, ValueError) as error:
            raise Unobservable("read WireGuard device", name, _reason(error)) from error
        raise Unobservable("read WireGuard device", name, os.strerror(abs(code)), abs(code))

    def configure(self, name: str, update: DeviceUpdate) -> None:
        """Send exactly what the update holds; single prefixes leave last."""
        self._send(name, list(uapi.set_device(update, self._vault)))
        if wants_removals(update):
            prefixes = prefixes_to_remove(update, self.get(name))
            self._send(name, list(uapi.remove_prefixes(prefixes)))

    def delete(self, name: str) -> None:
        """Delete the TUN device, with which its process ends, and see that the socket goes too."""
        path = self._socket(name)
        found = path.exists()
        try:
            links.delete_link(name)
        except Missing:
            if not found:
                raise
        process.await_end(path)
        self._starting(name).unlink(missing_ok=True)

    def _socket(self, name: str) -> Path:
        return self._socket_dir / f"{name}.sock"

    def _starting(self, name: str) -> Path:
        return Paths(run=self._run_dir).starting(name)

    def _exchange(self, name: str, request: bytes) -> str:
        """Send one operation, return its whole answer."""
        with process.connect(self._socket(name), TIMEOUT) as connection:
            # At a wrong line the process answers, and hangs up without reading on.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(request)
            return _read_answer(connection)

    def _send(self, name: str, transactions: list[str]) -> None:
        for number, text in enumerate(transactions, start=1):
            where = f"transaction {number} of {len(transactions)}: " if number > 1 else ""
            try:
                code, _ = uapi.split_answer(self._exchange(name, text.encode()))
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise Missing(
                    "configure WireGuard device", name, where + _reason(error), error.errno or 0
                ) from error
            except (OSError, ValueError) as error:
                raise HostError(
                    "configure WireGuard device", name, where + _reason(error)
                ) from error
            if code:
                # The protocol's codes are negative on some platforms, positive on others.
                reason = where + os.strerror(abs(code))
                raise HostError("configure WireGuard device", name, reason, abs(code))

    def _public_key_of(self, private_key: bytes) -> PublicKey:
        if self._last_key_pair[0] != private_key:
            self._last_key_pair = (private_key, public_half(private_key))
        return self._last_key_pair[1]


def _read_answer(connection: socket.socket) -> str:
    chunks: list[bytes] = []
    while chunk := connection.recv(1 << 20):
        chunks.append(chunk)
        if chunk.endswith(b"\n\n") or chunk == b"\n":
            answer = b"".join(chunks)
            if answer.endswith(b"\n\n"):
                return answer.decode("ascii")
    raise ConnectionResetError(errno.ECONNRESET, "the process hung up before its answer's end")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, TimeoutError):
        return f"the process does not answer within {TIMEOUT:.0f} s"
    if isinstance(error, FileNotFoundError):
        return "no such device"
    if isinstance(error, ConnectionRefusedError):
        return "its process is gone"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"an answer that cannot be read: {error}"
