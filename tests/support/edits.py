"""Changes to inventories and to documents, drawn: what people mean to do, and what nobody means."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from inventories import inventories, make_key, nodes_of
from msgspec.structs import replace

from compiler.inventory import Inventory, Node
from schemas.state import Documents, HostState, IptablesVariant, Rule, Verdict
from schemas.values import Endpoint, InterfaceName, NodeName, Prefix

Edit = Callable[[Any, st.DrawFn], Any]


@st.composite
def changed_inventories(draw: st.DrawFn) -> tuple[Inventory, Inventory]:
    """Draw an inventory, and what is left of it after up to four changes."""
    before = draw(inventories(min_nodes=2))
    after = before
    for edit in draw(st.lists(st.sampled_from(EDITS), max_size=4)):
        after = edit(after, draw)
    return before, replace(after, nodes=tuple(sorted(after.nodes, key=lambda node: node.name)))


def _join(inventory: Inventory, draw: st.DrawFn) -> Inventory:
    taken = len(inventory.nodes) + draw(st.integers(20, 90))
    name = f"new-{taken}"
    if any(node.name == name for node in inventory.nodes):
        return inventory
    node = draw(nodes_of(inventory.mesh, name, taken))
    return replace(inventory, nodes=(*inventory.nodes, node))


def _leave(inventory: Inventory, draw: st.DrawFn) -> Inventory:
    if len(inventory.nodes) == 1:
        return inventory
    one = draw(st.sampled_from(inventory.nodes))
    return replace(inventory, nodes=tuple(node for node in inventory.nodes if node != one))


def _swap_pods(inventory: Inventory, draw: st.DrawFn) -> Inventory:
    one, other = (draw(st.sampled_from(inventory.nodes)) for _ in range(2))
    return _put(_put(inventory, one, pod_cidrs=other.pod_cidrs), other, pod_cidrs=one.pod_cidrs)


def _give_pods(inventory: Inventory, draw: st.DrawFn) -> Inventory:
    one, other = (draw(st.sampled_from(inventory.nodes)) for _ in range(2))
    if one.name == other.name or len(one.pod_cidrs) == 1:
        return inventory
    *kept, given = one.pod_cidrs
    inventory = _put(inventory, one, pod_cidrs=tuple(kept))
    return _put(inventory, other, pod_cidrs=(*other.pod_cidrs, given))


def _node(**choices: st.SearchStrategy[Any]) -> Edit:
    def edit(inventory: Inventory, draw: st.DrawFn) -> Inventory:
        one = draw(st.sampled_from(inventory.nodes))
        return _put(inventory, one, **{name: draw(choice) for name, choice in choices.items()})

    return edit


def _mesh(**choices: st.SearchStrategy[Any]) -> Edit:
    def edit(inventory: Inventory, draw: st.DrawFn) -> Inventory:
        fields = {name: draw(choice) for name, choice in choices.items()}
        return replace(inventory, mesh=replace(inventory.mesh, **fields))

    return edit


def _put(inventory: Inventory, one: Node, **fields: object) -> Inventory:
    nodes = (replace(n, **fields) if n.name == one.name else n for n in inventory.nodes)
    return replace(inventory, nodes=tuple(nodes))


def _rename(inventory: Inventory, draw: st.DrawFn) -> Inventory:
    one = draw(st.sampled_from(inventory.nodes))
    if any(node.name == "renamed" for node in inventory.nodes):
        return inventory
    return _put(inventory, one, name=NodeName("renamed"))


def _overlay(inventory: Inventory, draw: st.DrawFn) -> Inventory:
    """Add a prefix that no node uses, or take one away."""
    more = draw(st.sampled_from(["172.31.0.0/16", "fd00:98::/32", "172.30.0.0/16"]))
    cidrs = inventory.mesh.overlay_cidrs
    used = tuple(c for c in cidrs if c != more)
    now = used if more in cidrs else (*cidrs, Prefix(more))
    return replace(inventory, mesh=replace(inventory.mesh, overlay_cidrs=now))


EDITS: tuple[Edit, ...] = (
    _join,
    _leave,
    _rename,
    _swap_pods,
    _give_pods,
    _overlay,
    _node(public_key=st.sampled_from([make_key("other"), make_key("another")])),
    _node(endpoint=st.sampled_from([None, Endpoint("198.51.100.7:9806")])),
    _node(listen_port=st.sampled_from([9806, 9807])),
    _node(underlay_mtu=st.sampled_from([1500, 9000])),
    _node(persistent_keepalive=st.sampled_from([0, 25])),
    _mesh(masquerade=st.booleans()),
    _mesh(non_masquerade_cidrs=st.sampled_from([(), ("172.16.0.0/12",), ("0.0.0.0/0", "::/0")])),
    _mesh(interface=st.sampled_from(["wormhole-wg0", "tunnel0"])),
    _mesh(bridge=st.sampled_from(["wormhole-br0", "pods0"])),
    _mesh(cni_file_name=st.sampled_from(["10-wormhole.conflist", "20-pods.conflist"])),
    _mesh(cni_version=st.sampled_from(["1.0.0", "0.4.0"])),
    _mesh(iptables_variant=st.sampled_from(list(IptablesVariant))),
    _mesh(preshared_key_epoch=st.sampled_from([None, "2026-11", "2026-12"])),
    _mesh(name=st.sampled_from(["demo", "prod"])),
)


@st.composite
def damaged_documents(draw: st.DrawFn, documents: Documents) -> Documents:
    """Draw what somebody with an editor makes of documents."""
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(sorted(documents.hosts)))
        damage = draw(st.sampled_from(DAMAGES))
        hosts = documents.hosts | {name: damage(documents.hosts[name], draw)}
        documents = replace(documents, hosts=hosts)
    return documents


def _in_chain(host: HostState, draw: st.DrawFn, change: Callable[[Any], Any]) -> HostState:
    family = "ipv4" if host.firewall.ipv4 else "ipv6"
    chains = getattr(host.firewall, family)
    if not chains:
        return host
    place = draw(st.integers(0, len(chains) - 1))
    new = replace(chains[place], rules=tuple(change(chains[place].rules)))
    chains = (*chains[:place], new, *chains[place + 1 :])
    return replace(host, firewall=replace(host.firewall, **{family: chains}))


def _drop_rule(host: HostState, draw: st.DrawFn) -> HostState:
    return _in_chain(host, draw, lambda rules: rules[1:])


def _add_rule(host: HostState, draw: st.DrawFn) -> HostState:
    prefix = draw(st.sampled_from([None, "10.0.0.0/8", "172.31.0.0/16"]))
    rule = Rule(
        verdict=draw(st.sampled_from(list(Verdict))),
        comment="by hand",
        destination=None if prefix is None else Prefix(prefix),
    )
    return _in_chain(host, draw, lambda rules: (rule, *rules))


def _turn_rules(host: HostState, draw: st.DrawFn) -> HostState:
    return _in_chain(host, draw, lambda rules: tuple(reversed(rules)))


def _drop_chain(host: HostState, _draw: st.DrawFn) -> HostState:
    return replace(host, firewall=replace(host.firewall, ipv4=host.firewall.ipv4[1:]))


def _turn_routes(host: HostState, _draw: st.DrawFn) -> HostState:
    return replace(host, routes=tuple(reversed(host.routes)))


def _reroute(host: HostState, _draw: st.DrawFn) -> HostState:
    routes = (replace(route, device=InterfaceName("eth0")) for route in host.routes)
    return replace(host, routes=tuple(routes))


def _drop_route(host: HostState, _draw: st.DrawFn) -> HostState:
    return replace(host, routes=host.routes[1:])


def _set_sysctl(host: HostState, draw: st.DrawFn) -> HostState:
    key = draw(st.sampled_from(["net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter"]))
    return replace(host, sysctls=host.sysctls | {key: draw(st.sampled_from(["0", "2"]))})


def _configure_cni(host: HostState, draw: st.DrawFn) -> HostState:
    field = draw(st.sampled_from(["disableCheck", "name", "plugins", "new"]))
    value = draw(st.sampled_from([None, True, 1, 1.0, [], ["x", "x"], {"a": [{"type": "b"}]}, "y"]))
    return replace(host, cni=replace(host.cni, config=host.cni.config | {field: value}))


def _change_mac(host: HostState, _draw: st.DrawFn) -> HostState:
    return replace(host, bridge=replace(host.bridge, mac="02:00:00:00:00:01"))


def _leave_groups(host: HostState, draw: st.DrawFn) -> HostState:
    groups = draw(st.sampled_from([(), ("mesh", "other"), ("other",)]))
    return replace(host, wireguard=replace(host.wireguard, peer_groups=groups))


DAMAGES: tuple[Edit, ...] = (
    _drop_rule,
    _add_rule,
    _turn_rules,
    _drop_chain,
    _turn_routes,
    _reroute,
    _drop_route,
    _set_sysctl,
    _configure_cni,
    _change_mac,
    _leave_groups,
)
