"""A fake host that is a node of a small mesh, with other programs' things around it."""

from base64 import b64encode
from collections.abc import Collection, Iterator
from hashlib import sha256

from inventories import make_inventory, make_mesh, make_node
from msgspec.structs import replace

from applier.converge import converge, plan
from applier.destroy import destroy
from applier.fake import FakeHost
from applier.host import Link, LiveRoute
from applier.keys import public_half
from applier.outcome import Outcome, Result
from applier.paths import Paths
from applier.plan import Change, Plan
from applier.vault import Vault
from compiler.compile import compile_host
from compiler.inventory import Inventory
from schemas.resolve import resolve
from schemas.state import IptablesVariant, ResolvedHost
from schemas.values import Endpoint, InterfaceAddress, NodeName, Prefix, PublicKey

EPOCH = "2026-11"
OVERLAYS = ("10.244.0.0/16", "fd00:244::/48")
WG = "wormhole-wg0"
BRIDGE = "wormhole-br0"
PRIVATE = sha256(b"node-a's private key").digest()
MASTERS = {epoch: sha256(epoch.encode()).digest() for epoch in (EPOCH, "2026-12")}
PUBLIC = public_half(PRIVATE)

OURS = (
    *(WG, BRIDGE, "tunnel0", "pods0", "10-wormhole.conflist", "20-pods.conflist"),
    *("WORMHOLE-", "protocol=87", "/var/lib/wormhole", "/run/wormhole"),
    *("forward", "accept_redirects"),
)
"""What in a dump's line makes it a line about something of ours."""

FOREIGN_RULES = """\
*mangle
:KUBE-IPTABLES-HINT - [0:0]
-A POSTROUTING -o eth0 -j LOG
COMMIT
*filter
:KUBE-FORWARD - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -i docker0 -j ACCEPT
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
COMMIT
*nat
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""


def build_inventory(
    names: tuple[str, ...] = ("node-a", "node-b", "node-c", "node-d"),
    *,
    overlays: tuple[str, ...] = OVERLAYS,
    epoch: str | None = EPOCH,
    without_endpoint: str = "node-d",
    **mesh: object,
) -> Inventory:
    """Return a mesh in which node-a is this host; each node has a prefix of every overlay."""
    nodes = []
    for number, name in enumerate(names):
        prefixes = [_nth(overlay, number) for overlay in overlays]
        endpoint = None if name == without_endpoint else Endpoint(f"192.0.2.{number + 1}:9806")
        own: dict[str, object] = {"persistent_keepalive": mesh.get("persistent_keepalive", 0)}
        own |= {"public_key": PUBLIC} if name == "node-a" else {}
        nodes.append(make_node(name, *prefixes, endpoint=endpoint, **own))
    return make_inventory(make_mesh(*overlays, preshared_key_epoch=epoch, **mesh), *nodes)


def resolve_host(inventory: Inventory, name: str = "node-a") -> ResolvedHost:
    """Return one host's desired state."""
    return resolve(*compile_host(inventory, NodeName(name)))


class Scene:
    """One host, its files, and the process that applies."""

    def __init__(
        self,
        resolved: ResolvedHost | None = None,
        *,
        userspace: bool = False,
        furnished: bool = True,
        installed: tuple[IptablesVariant, ...] = (IptablesVariant.NFT, IptablesVariant.LEGACY),
    ) -> None:
        self.resolved = resolved or resolve_host(build_inventory())
        self.paths = Paths()
        self.vault = Vault(b"a salt")
        self.vault.put_as(PUBLIC, PRIVATE)
        self.host = FakeHost(self.vault, self.paths)
        self.host.devices.userspace = userspace
        self.host.variants = installed
        files = self.host.files
        files[self.paths.private_key] = (b64encode(PRIVATE) + b"\n", 0o600)
        for epoch, master in MASTERS.items():
            files[self.paths.master(epoch)] = (b64encode(master) + b"\n", 0o600)
        if furnished:
            furnish(self.host)

    def plan(self) -> Plan:
        return plan(self.host, self.resolved, vault=self.vault, paths=self.paths)

    def converge(
        self, *, allow_mass_delete: bool = True, expected_to_leave: Collection[PublicKey] = ()
    ) -> Outcome:
        return converge(
            self.host,
            self.resolved,
            vault=self.vault,
            paths=self.paths,
            allow_mass_delete=allow_mass_delete,
            expected_to_leave=expected_to_leave,
        )

    def destroy(self, *, purge: bool = False) -> Outcome:
        return destroy(self.host, paths=self.paths, purge=purge)

    def writes(self) -> list[str]:
        """Return the writes since the last call."""
        writes, self.host.faults.writes = self.host.faults.writes, []
        return writes


def converged(scene: Scene | None = None) -> Scene:
    """Return a scene whose host is as desired."""
    scene = scene or Scene()
    outcome = scene.converge()
    assert outcome.result is Result.CONVERGED, outcome
    scene.writes()
    return scene


def furnish(host: FakeHost) -> None:
    """Put other programs' links, routes, rules and files on the host."""
    for link in (
        Link(name="lo", kind="", group=0, mtu=65536, up=True),
        Link(name="eth0", kind="", group=0, mtu=1500, mac="02:00:00:00:00:01", up=True),
        Link(name="eth0.100", kind="vlan", group=0, mtu=1500, mac="02:00:00:00:00:01", up=True),
        Link(name="docker0", kind="bridge", group=0, mtu=1500, mac="02:42:00:00:00:01", up=True),
        Link(name="wormhole-not", kind="veth", group=7, mtu=1500, mac="02:42:00:00:00:02"),
    ):
        host.network.add_link(link)
    for link_name, address in (
        ("eth0", "192.0.2.1/24"),
        ("eth0", "2001:db8::1/64"),
        ("docker0", "172.17.0.1/16"),
    ):
        host.network.add_address(link_name, InterfaceAddress(address))
    for destination, gateway in (("0.0.0.0/0", "192.0.2.254"), ("::/0", "2001:db8::fe")):
        host.network.add_route(route(destination, gateway=gateway))
    for tables in host.tables.values():
        tables.restore(FOREIGN_RULES, lambda: None)
    host.files[host.paths.cni / "99-other.conf"] = (b'{"name": "other"}', 0o644)
    host.read_sysctl("net.ipv4.ip_forward")  # gives the links their parameters
    host.sysctls.values["net.ipv4.conf.docker0.forwarding"] = "1"


def route(
    destination: str,
    *,
    device: str = "eth0",
    gateway: str = "",
    metric: int = 100,
    protocol: int = 3,
) -> LiveRoute:
    """Return somebody else's route."""
    return LiveRoute(
        destination=Prefix(destination),
        metric=metric,
        type="unicast",
        protocol=protocol,
        device=device,
        gateway=gateway,
    )


def dump_all(host: FakeHost) -> str:
    """Print everything on the host, so that two that are alike print alike.

    Order is kept only where it means something: between the rules of a chain.
    """
    network, devices = host.network, host.devices.devices
    lines = [f"link {link}" for link in network.links.values()]
    lines += [f"address {link} {one}" for link, some in network.addresses.items() for one in some]
    lines += [f"route {one}" for one in network.all_routes()]
    lines += [f"device {name} {replace(device, peers=())}" for name, device in devices.items()]
    lines += [f"peer {name} {one}" for name, device in devices.items() for one in device.peers]
    lines += [f"sysctl {key}={value}" for key, value in host.sysctls.values.items()]
    lines += [f"file {path} {mode:o} {content!r}" for path, (content, mode) in host.files.items()]
    lines += [f"link from {path} to {target}" for path, target in host.symlinks.items()]
    return "\n".join([*sorted(lines), *_dump_rules(host)])


def _dump_rules(host: FakeHost) -> Iterator[str]:
    for (variant, ipv6), tables in host.tables.items():
        for table, content in sorted(tables.tables.items()):
            where = f"{'ip6tables' if ipv6 else 'iptables'}-{variant} {table}"
            for chain, rules in sorted(content.items()):
                yield f"{where} :{chain}"
                yield from (f"{where} -A {chain} {rule}" for rule in rules)


def dump_foreign(host: FakeHost) -> str:
    """Print what is not Wormhole's."""
    return "\n".join(
        line for line in dump_all(host).splitlines() if not any(mark in line for mark in OURS)
    )


def tell(changes: tuple[Change, ...]) -> list[str]:
    """Spell changes as people would: ``delete peer node-b (drift)``."""
    return [
        f"{change.action} {change.kind} {change.key} ({change.cause})"
        + (f", {change.risk}" if change.risk != "hitless" else "")
        + (f": {change.note}" if change.note else "")
        for change in changes
    ]


def _nth(overlay: str, number: int) -> str:
    address, length = overlay.split("/")
    if ":" in address:
        return f"{address.removesuffix('::')}:0:{number + 1:x}::/64"
    first, second, *_ = address.split(".")
    return f"{first}.{second}.{number + 1}.0/{max(24, int(length))}"
