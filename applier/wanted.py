"""A resolved document, the host's secrets and its memory to what the kinds work from."""

from collections.abc import Iterable, Mapping
from typing import Final

from applier.host import Host
from applier.memory import Names, names_of
from applier.paths import Paths
from applier.psk import expand, extract, load_master
from applier.vault import Vault
from schemas.problems import Problem, Problems
from schemas.state import HostState, IptablesVariant, ResolvedHost, ResolvedPeer, Value
from schemas.values import NodeName, PublicKey

DEFAULT_CNI_FILE: Final = "10-wormhole.conflist"
"""Looked at even by a process without memory, such as a ``destroy`` after its loss."""


class Wanted(Value, frozen=True, kw_only=True):
    """One host's desired state in this host's terms."""

    host: HostState
    peers: dict[NodeName, ResolvedPeer]
    preshared_keys: Mapping[PublicKey, str]
    """Vault fingerprints; a peer that is not here has no pre-shared key."""
    iptables_variant: IptablesVariant
    """Never ``auto``."""


class Scope(Value, frozen=True, kw_only=True):
    """Where to look for what is ours: names of now and of earlier."""

    paths: Paths
    names: Names | None
    """What is to be there; None when nothing is."""
    wireguard: tuple[str, ...]
    """Every name that we ever gave to a WireGuard device, as far as we know."""
    bridges: tuple[str, ...]
    joined_bridges: tuple[str, ...]
    """Those that memory says the host converged with."""
    cni_files: tuple[str, ...]
    written_cni_files: tuple[str, ...]
    """Those that memory says we wrote; a name that an apply could not use is none."""
    sysctls: tuple[str, ...]
    nodes: Mapping[PublicKey, NodeName]
    """Names to show for keys."""
    iptables_variant: IptablesVariant | None
    """Where our chains should be; None: nowhere."""

    def call_peer(self, key: PublicKey, device: str | None = None) -> str:
        """Name a peer for readers: one name for one key, whichever document it is in.

        A node that changed its key keeps its name for the new one; the old one is then called by
        itself. On a device that is not the wanted one the device is told too.
        """
        name = self.nodes.get(key, key)
        elsewhere = device is not None and (not self.names or device != self.names.wireguard)
        return f"{name} on {device}" if elsewhere else name


def want(
    resolved: ResolvedHost, preshared_keys: Mapping[PublicKey, str], variant: IptablesVariant
) -> Wanted:
    """Join a document with what only this host knows."""
    return Wanted(
        host=resolved.host,
        peers=resolved.peers,
        preshared_keys=preshared_keys,
        iptables_variant=variant,
    )


def derive_preshared_keys(
    files: Host, resolved: ResolvedHost, vault: Vault, paths: Paths
) -> dict[PublicKey, str]:
    """Put every peer's pre-shared key into the vault; return the fingerprints.

    Raises:
        Problems: the epoch's master secret is missing or damaged.

    """
    device = resolved.host.wireguard
    if device.preshared_key_epoch is None:
        return {}
    epoch = device.preshared_key_epoch
    key = extract(load_master(files, paths, epoch))
    ours = device.public_key
    return {
        peer.public_key: vault.put(expand(key, epoch, ours, peer.public_key))
        for peer in resolved.peers.values()
    }


def refuse_another_key(resolved: ResolvedHost, own: PublicKey) -> None:
    """Raise :class:`Problems` when the document was written for a host with another key."""
    named = resolved.host.wireguard.public_key
    if named != own:
        raise Problems(
            [
                Problem(
                    object=f"HostState/{resolved.host.name}",
                    path="wireguard.publicKey",
                    value=named,
                    rule=f"is not this host's public key, which is {own}:"
                    f" either this is not {resolved.host.name}, or its MeshNode needs that key",
                )
            ]
        )


def scope_of(
    paths: Paths,
    wanted: Wanted | None,
    last: ResolvedHost | None,
    attempted: Names | None,
) -> Scope:
    """Return where to look, from the desired state, the last one, and an unfinished apply."""
    names = names_of(wanted.host) if wanted else None
    earlier = [known for known in (names_of(last.host) if last else None, attempted) if known]
    known = ([names] if names else []) + earlier
    peers = (last.peers if last else {}) | (wanted.peers if wanted else {})
    current = {peer.public_key: name for name, peer in wanted.peers.items()} if wanted else {}
    return Scope(
        paths=paths,
        names=names,
        wireguard=_unique(name.wireguard for name in known),
        bridges=_unique(name.bridge for name in known),
        joined_bridges=(last.host.bridge.interface,) if last else (),
        cni_files=_unique([*(name.cni_file for name in known), DEFAULT_CNI_FILE]),
        written_cni_files=_written(last, attempted),
        sysctls=tuple(wanted.host.sysctls) if wanted else (),
        nodes={peer.public_key: name for name, peer in peers.items()} | current,
        iptables_variant=wanted.iptables_variant if wanted else None,
    )


def _written(last: ResolvedHost | None, attempted: Names | None) -> tuple[str, ...]:
    """Return the CNI file that the host converged to, unless an apply since left it to others."""
    if last is None or (attempted and attempted.cni_file == last.host.cni.file_name):
        return ()
    return (last.host.cni.file_name,)


def _unique(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
