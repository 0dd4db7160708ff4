"""What this host remembers of itself between two runs: helpful, and never needed to be right.

A lost or unreadable memory costs the "why" in a plan, the names of renamed links, and what an agent
without its source could have come back to, nothing else: what is ours is decided by marks.
"""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from applier.errors import Missing
from applier.host import Host
from applier.keys import Files
from applier.paths import Paths
from schemas.marks import is_guard
from schemas.state import HostState, ResolvedHost, Value
from schemas.values import InterfaceName, Prefix, PublicKey

T = TypeVar("T")


class Names(Value, frozen=True, kw_only=True):
    """The names that a desired state gives to things of ours."""

    wireguard: InterfaceName
    bridge: InterfaceName
    cni_file: str
    overlays: tuple[Prefix, ...]


def names_of(host: HostState) -> Names:
    """Return the names that a desired state uses."""
    return Names(
        wireguard=host.wireguard.interface,
        bridge=host.bridge.interface,
        cni_file=host.cni.file_name,
        overlays=tuple(route.destination for route in host.routes if is_guard(route.metric)),
    )


def load_applied(files: Files, paths: Paths) -> ResolvedHost | None:
    """Return the desired state that this host last converged to, if it is known."""
    return _decode(files.read_file(paths.applied), ResolvedHost)


def load_attempted(host: Host, paths: Paths) -> Names | None:
    """Return the names of an apply that began and did not end well."""
    return _decode(host.read_file(paths.attempted), Names)


def store_attempted(host: Host, paths: Paths, resolved: ResolvedHost) -> None:
    """Write down which names an apply is about to use, before it uses them.

    A link with a name of the user's choice, left behind by a killed first apply, is found again by
    this note. Names that are remembered already need none.
    """
    names = names_of(resolved.host)
    applied = load_applied(host, paths)
    known = (names_of(applied.host) if applied else None, load_attempted(host, paths))
    if names not in known:
        host.write_file(paths.attempted, _encode(names), 0o600)


def store_applied(host: Host, paths: Paths, resolved: ResolvedHost, *, ended: bool) -> None:
    """Remember a desired state that the host converged to.

    The note of the attempt goes when it ended. Until then not every name in it is in use: the file
    of that name may be somebody else's.
    """
    content = _encode(resolved)
    if host.read_file(paths.applied) != content:
        host.write_file(paths.applied, content, 0o600)
    if not ended:
        note = _encode(names_of(resolved.host))
        if host.read_file(paths.attempted) != note:
            host.write_file(paths.attempted, note, 0o600)
    elif host.read_file(paths.attempted) is not None:
        with suppress(Missing):
            host.remove_file(paths.attempted)


def store_joined(
    host: Host, paths: Paths, resolved: ResolvedHost, staying: Collection[PublicKey]
) -> None:
    """Remember which peers are there beside those of a desired state, whose removal is refused.

    The host's own part stays what it last converged to.
    """
    applied = load_applied(host, paths)
    if applied is None:
        return
    kept = {name: peer for name, peer in applied.peers.items() if peer.public_key in staying}
    content = _encode(replace(applied, peers=kept | resolved.peers))
    if host.read_file(paths.applied) != content:
        host.write_file(paths.applied, content, 0o600)


def restore(
    host: Host, paths: Paths, applied: ResolvedHost | None, attempted: Names | None
) -> None:
    """Let the memory be what it was, now that the host is."""
    for path, now, then in (
        (paths.applied, load_applied(host, paths), applied),
        (paths.attempted, load_attempted(host, paths), attempted),
    ):
        if then is None:
            _remove(host, path)
        elif now != then:
            host.write_file(path, _encode(then), 0o600)


def forget_applied(host: Host, paths: Paths) -> None:
    """Remove the memory of what was applied: nothing of it is left."""
    for path in (paths.sysctls, paths.attempted, paths.applied):
        _remove(host, path)


def forget(host: Host, paths: Paths) -> None:
    """Remove all memory: nothing of ours is left, and nothing waits for its end."""
    forget_applied(host, paths)
    for path in (paths.reverted, paths.pending):
        _remove(host, path)


def _remove(host: Host, path: Path) -> None:
    if host.read_file(path) is not None:
        with suppress(Missing):
            host.remove_file(path)


def _encode(value: Any) -> bytes:  # noqa: ANN401 - any of our values
    return msgspec.json.encode(value, order="sorted") + b"\n"


def _decode(content: bytes | None, kind: type[T]) -> T | None:
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):  # msgspec tells of bytes that are no UTF-8 so
        return None
