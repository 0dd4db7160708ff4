"""What people and other programs do to a host that had converged."""

from collections.abc import Callable
from typing import Final

from inventories import make_key
from msgspec.structs import replace
from scenes import BRIDGE, WG, Scene, route

from applier.fake.iptables import Chains
from applier.host import Link, LivePeer
from renderers.cni import write
from schemas.marks import ROUTE_PROTOCOL
from schemas.state import IptablesVariant
from schemas.values import Endpoint, InterfaceAddress, Prefix

Damage = Callable[[Scene], None]

CONFLIST = "10-wormhole.conflist"


def change_peer(scene: Scene, name: str, **fields: object) -> None:
    """Change a peer on the device, as ``wg set`` would."""
    key = scene.resolved.peers[name].public_key  # type: ignore[index] # a test's name
    device = scene.host.devices.devices[WG]
    peers = tuple(
        replace(peer, **fields) if peer.public_key == key else peer for peer in device.peers
    )
    scene.host.devices.devices[WG] = replace(device, peers=peers)


def change_device(scene: Scene, **fields: object) -> None:
    """Change the device, as ``wg set`` would."""
    devices = scene.host.devices.devices
    devices[WG] = replace(devices[WG], **fields)


def change_link(scene: Scene, name: str, **fields: object) -> None:
    """Change a link, as ``ip link set`` would."""
    network = scene.host.network
    network.set_link(replace(network.link(name), **fields))


def chains(scene: Scene, table: str, *, ipv6: bool = False) -> Chains:
    """Return a table of the variant in use, for changing by hand."""
    return scene.host.tables[IptablesVariant.NFT, ipv6].tables[table]


def delete_link(scene: Scene, name: str) -> None:
    """Delete a link, as ``ip link delete`` or the end of its process would."""
    scene.host.network.delete_link(name)
    scene.host.devices.devices.pop(name, None)


def remove_peer(scene: Scene) -> None:
    """Remove node-b."""
    device = scene.host.devices.devices[WG]
    gone = scene.resolved.peers[_NODE_B].public_key
    change_device(scene, peers=tuple(peer for peer in device.peers if peer.public_key != gone))


def add_stranger(scene: Scene, *allowed_ips: str) -> None:
    """Add a peer that no document knows; its prefixes leave their owners."""
    device = scene.host.devices.devices[WG]
    stolen = tuple(map(Prefix, allowed_ips or ("10.244.77.0/24",)))
    kept = tuple(
        replace(peer, allowed_ips=tuple(p for p in peer.allowed_ips if p not in stolen))
        for peer in device.peers
    )
    stranger = LivePeer(public_key=make_key("stranger"), allowed_ips=stolen)
    change_device(scene, peers=(*kept, stranger))


def let_speak(scene: Scene, name: str, endpoint: str, *, seconds_ago: int) -> None:
    """Let a peer have been heard from an endpoint."""
    change_peer(
        scene,
        name,
        endpoint=Endpoint(endpoint),
        last_handshake=scene.host.clock - seconds_ago,
    )


def remove_addresses(scene: Scene) -> None:
    """Flush the bridge's addresses."""
    scene.host.network.addresses[BRIDGE] = []


def add_address(scene: Scene) -> None:
    """Put a stranger's address on the WireGuard device."""
    scene.host.network.add_address(WG, InterfaceAddress("10.9.9.9/32"))


def take_primary_address(scene: Scene) -> None:
    """Put a stranger's address of the bridge's own subnet before the bridge's."""
    addresses = scene.host.network.addresses[BRIDGE]
    ours = [address for address in addresses if address != "10.244.1.1/24"]
    scene.host.network.addresses[BRIDGE] = [InterfaceAddress("10.244.1.99/24"), *ours]


def remove_route(scene: Scene, metric: int = 1024) -> None:
    """Remove our IPv4 route of a metric."""
    scene.host.network.routes.pop(("10.244.0.0/16", metric), None)


def point_route_elsewhere(scene: Scene) -> None:
    """Send the IPv4 overlay out by eth0, in a route with our mark."""
    moved = route("10.244.0.0/16", metric=1024, protocol=ROUTE_PROTOCOL, gateway="192.0.2.99")
    scene.host.network.routes["10.244.0.0/16", 1024] = moved


def add_marked_route(scene: Scene) -> None:
    """Add a route with our mark that nobody asked for."""
    scene.host.network.add_route(route("10.244.3.0/24", metric=7, protocol=ROUTE_PROTOCOL))


def flush_chain(scene: Scene) -> None:
    """Empty the guard's chain."""
    _chain(scene, "mangle", "WORMHOLE-GUARD").clear()


def empty_tables(scene: Scene) -> None:
    """Do what a firewall's reload does: remove every rule of ours, and every chain."""
    for tables in scene.host.tables.values():
        for content in tables.tables.values():
            for name in [name for name in content if name.startswith("WORMHOLE-")]:
                del content[name]
            for rules in content.values():
                rules[:] = [rule for rule in rules if "WORMHOLE-" not in rule]


def leave_old_variant(scene: Scene) -> None:
    """Leave chains of ours in the variant that this host does not use."""
    text = (
        "*filter\n:WORMHOLE-FORWARD - [0:0]\n-A WORMHOLE-FORWARD -j ACCEPT\n"
        '-A FORWARD -m comment --comment "wormhole:0 old" -j WORMHOLE-FORWARD\nCOMMIT\n'
    )
    scene.host.tables[IptablesVariant.LEGACY, False].restore(text, lambda: None)


def move_jump_behind_accept(scene: Scene) -> None:
    """Insert a foreign ACCEPT before our first jump in FORWARD."""
    chains(scene, "filter")["FORWARD"].insert(0, "-i eth0 -j ACCEPT")


def remove_jump(scene: Scene) -> None:
    """Delete the jump to the guard."""
    rules = chains(scene, "mangle").get("POSTROUTING", [])
    rules[:] = [rule for rule in rules if "-j WORMHOLE-GUARD" not in rule]


def _chain(scene: Scene, table: str, name: str) -> list[str]:
    return chains(scene, table).get(name, [])


def _on(link: str, action: Damage) -> Damage:
    def act(scene: Scene) -> None:
        if link in scene.host.network.links:
            action(scene)

    return act


def edit_conflist(scene: Scene) -> None:
    """Write through the link, as most editors do."""
    path = scene.paths.configuration(CONFLIST)
    content = scene.host.files.get(path, (b"", 0))[0]
    scene.host.files[path] = (_edit(content), 0o644)


def replace_conflist(scene: Scene) -> None:
    """Put a plain file in the link's place, as ``sed -i`` does, and an earlier version did."""
    path = scene.paths.cni / CONFLIST
    scene.host.symlinks.pop(path, None)
    scene.host.files[path] = (_edit(write(scene.resolved.host.cni.config).encode()), 0o644)


def remove_conflist(scene: Scene) -> None:
    """Remove the name, whatever is under it."""
    scene.host.symlinks.pop(scene.paths.cni / CONFLIST, None)
    scene.host.files.pop(scene.paths.cni / CONFLIST, None)


def _edit(content: bytes) -> bytes:
    return content.replace(b'"hairpinMode": true', b'"hairpinMode": false')


def leave_plain_bridge(scene: Scene) -> None:
    """Do what the CNI plugin does when there is no bridge: make one that nobody marked."""
    bridge = scene.resolved.host.bridge
    delete_link(scene, BRIDGE)
    mac = "fe:00:00:00:00:07"
    link = Link(name=BRIDGE, kind="bridge", group=0, mtu=bridge.mtu, mac=mac, up=True)
    scene.host.network.add_link(link)
    for address in bridge.addresses:
        scene.host.network.add_address(BRIDGE, address)


def reboot(scene: Scene) -> Scene:
    """Return the host after a boot: it has what is on its disk, and nothing has run yet."""
    after = Scene(scene.resolved, userspace=scene.host.devices.userspace)
    run = str(scene.paths.run)
    files = {path: file for path, file in scene.host.files.items() if not str(path).startswith(run)}
    after.host.files |= files
    after.host.symlinks |= scene.host.symlinks
    return after


_NODE_B: Final = "node-b"  # type: ignore[assignment]

DAMAGE: Final[dict[str, Damage]] = {
    "remove peer": _on(WG, remove_peer),
    "strange peer": _on(WG, add_stranger),
    "move prefix": _on(WG, lambda scene: add_stranger(scene, "10.244.2.0/24")),
    "no key": _on(WG, lambda scene: change_device(scene, public_key="")),
    "other port": _on(WG, lambda scene: change_device(scene, listen_port=1234)),
    "delete device": _on(WG, lambda scene: delete_link(scene, WG)),
    "delete bridge": _on(BRIDGE, lambda scene: delete_link(scene, BRIDGE)),
    "device down": _on(WG, lambda scene: change_link(scene, WG, up=False)),
    "bridge down": _on(BRIDGE, lambda scene: change_link(scene, BRIDGE, up=False)),
    "mtu": _on(BRIDGE, lambda scene: change_link(scene, BRIDGE, mtu=9000)),
    "remove addresses": _on(BRIDGE, remove_addresses),
    "strange address": _on(WG, add_address),
    "primary address": _on(BRIDGE, take_primary_address),
    "remove routes": remove_route,
    "re-point route": point_route_elsewhere,
    "remove guards": lambda scene: remove_route(scene, 4_294_967_295),
    "strange route of ours": add_marked_route,
    "flush chain": flush_chain,
    "empty tables": empty_tables,
    "sysctl": lambda scene: scene.host.sysctls.write("net.ipv4.ip_forward", "0"),
    "conflist": edit_conflist,
    "plain conflist": replace_conflist,
    "no conflist": remove_conflist,
    "conflist behind link": lambda scene: void(
        scene.host.files.pop(scene.paths.configuration(CONFLIST), None)
    ),
    "unmarked bridge": _on(BRIDGE, leave_plain_bridge),
    "old variant": leave_old_variant,
    "no memory": lambda scene: void(scene.host.files.pop(scene.paths.applied, None)),
}
"""Any subset can be done in any order."""


def void(_value: object) -> None:
    """Throw a result away."""
