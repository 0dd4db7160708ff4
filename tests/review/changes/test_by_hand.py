"""What somebody does to documents with an editor: none of it passes for less than it is."""

from collections.abc import Callable
from typing import Any

import pytest
from inventories import make_inventory, make_mesh, make_node
from msgspec.structs import replace

from compiler.compile import compile_mesh
from review.changes.compare import compare
from review.changes.review import Entry, Impact
from schemas.state import Documents, HostState, MeshState, Peer, RouteType, Rule, Verdict
from schemas.values import Endpoint, NodeName, Prefix

Edit = Callable[[HostState], HostState]

ONE, OTHER = Prefix("10.244.0.0/16"), Prefix("10.250.0.0/16")
NODE = NodeName("node-b")


def begin() -> Documents:
    nodes = (
        make_node(name, f"10.244.{n}.0/24", endpoint=Endpoint(f"192.0.2.{n}:9806"))
        for n, name in enumerate(("node-a", "node-b", "node-c"), 1)
    )
    return compile_mesh(make_inventory(make_mesh(ONE, OTHER), *nodes))


def edit_host(edit: Edit, documents: Documents) -> Documents:
    return replace(documents, hosts=documents.hosts | {NODE: edit(documents.hosts[NODE])})


def edit_rules(name: str, edit: Callable[[list[Rule]], list[Rule]]) -> Edit:
    """Edit the rules of one chain of IPv4."""

    def change(host: HostState) -> HostState:
        chains = (
            replace(chain, rules=tuple(edit([*chain.rules]))) if chain.name == name else chain
            for chain in host.firewall.ipv4
        )
        return replace(host, firewall=replace(host.firewall, ipv4=tuple(chains)))

    return change


def edit_plugin(**fields: object) -> Edit:
    """Edit the first plugin of the CNI configuration."""

    def change(host: HostState) -> HostState:
        plugins: Any = host.cni.config["plugins"]
        config = host.cni.config | {"plugins": [plugins[0] | fields, *plugins[1:]]}
        return replace(host, cni=replace(host.cni, config=config))

    return change


def tell(edit: Edit) -> list[Entry]:
    return [*compare(begin(), edit_host(edit, begin())).entries]


def sentences(edit: Edit) -> list[str]:
    return [f"{each.title}: {each.effect} ({each.impact})" for each in tell(edit)]


def drop_one_twice(rules: list[Rule]) -> list[Rule]:
    """Let the guard drop one prefix of the overlay twice, and the other never."""
    return [replace(r, destination=ONE) if r.destination == OTHER else r for r in rules]


def test_a_rule_for_another_prefix_is_no_matter_of_order() -> None:
    assert sentences(edit_rules("guard", drop_one_twice)) == [
        (
            "IPv4 chain guard changes by 2 rules on node-b: no other change explains it: it gains"
            " 'drop to 10.244.0.0/16 (the overlay is never sent in clear)' and loses 'drop to"
            " 10.250.0.0/16 (the overlay is never sent in clear)' (disruptive)"
        )
    ]
    [entry] = tell(edit_rules("guard", drop_one_twice))
    assert entry.details == (
        "+ drop to 10.244.0.0/16 (the overlay is never sent in clear)",
        "- drop to 10.250.0.0/16 (the overlay is never sent in clear)",
    )


def test_nor_does_it_hide_behind_another_change_of_its_chain() -> None:
    [entry] = tell(edit_rules("guard", lambda rules: drop_one_twice(rules)[1:]))
    assert entry.details == (
        "+ drop to 10.244.0.0/16 (the overlay is never sent in clear)",
        "- drop to 10.250.0.0/16 (the overlay is never sent in clear)",
        "- return out the device (encrypted by the tunnel)",
    )


def test_chains_in_another_order_are_neither_new_nor_gone() -> None:
    def turn(host: HostState) -> HostState:
        chains = host.firewall.ipv4[::-1]
        return replace(host, firewall=replace(host.firewall, ipv4=chains))

    assert sentences(turn) == [
        "IPv4 chains are called in another order on node-b: it loads them anew (disruptive)"
    ]


def drop_all(rules: list[Rule]) -> list[Rule]:
    return [Rule(verdict=Verdict.DROP, comment="from a peer"), *rules]


def without(verdict: Verdict) -> Callable[[list[Rule]], list[Rule]]:
    return lambda rules: [rule for rule in rules if rule.verdict is not verdict]


def edit_chain(**fields: object) -> Edit:
    """Edit the first chain."""

    def change(host: HostState) -> HostState:
        first, *others = host.firewall.ipv4
        chains = (replace(first, **fields), *others)
        return replace(host, firewall=replace(host.firewall, ipv4=chains))

    return change


def refuse_overlay(host: HostState) -> HostState:
    first, *others = host.routes
    refusal = replace(first, type=RouteType.UNREACHABLE, device=None)
    return replace(host, routes=(refusal, *others))


def forget_overlay(host: HostState) -> HostState:
    routes = (route for route in host.routes if route.destination != ONE)
    return replace(host, routes=tuple(routes))


def forget_tunnel_routes(host: HostState) -> HostState:
    routes = (route for route in host.routes if route.type is not RouteType.UNICAST)
    return replace(host, routes=tuple(routes))


STOPS: dict[str, Edit] = {
    "all is dropped": edit_rules("forward", drop_all),
    "nothing is accepted": edit_rules("forward", without(Verdict.ACCEPT)),
    "nothing returns": edit_rules("antispoof", without(Verdict.RETURN)),
    "nothing is translated": edit_rules("nat", without(Verdict.MASQUERADE)),
    "rules in another order": edit_rules("antispoof", lambda rules: rules[::-1]),
    "a chain at another hook": edit_chain(hooks=("input",)),
    "a chain called last": edit_chain(position="last"),
    "no chains": lambda host: replace(host, firewall=replace(host.firewall, ipv4=())),
    "a route refuses": refuse_overlay,
    "the overlay has no route": forget_tunnel_routes,
    "the overlay has no route and no guard": forget_overlay,
    "nothing is forwarded": lambda host: replace(host, sysctls={"net.ipv4.ip_forward": "0"}),
    "forwarding is nobody's": lambda host: replace(host, sysctls={}),
}


@pytest.mark.parametrize("case", STOPS)
def test_what_stops_traffic_is_not_called_hitless(case: str) -> None:
    assert Impact.DISRUPTIVE in {entry.impact for entry in tell(STOPS[case])}


def test_what_only_opens_a_hole_is_told_and_stops_nothing() -> None:
    assert sentences(edit_rules("guard", without(Verdict.DROP))) == [
        (
            "IPv4 chain guard changes by 2 rules on node-b: no other change explains it: it loses"
            " 'drop to the overlay (the overlay is never sent in clear)' and loses 'drop to the"
            " overlay (the overlay is never sent in clear)' (hitless)"
        )
    ]


def test_a_route_is_told_by_where_it_leads() -> None:
    assert [(entry.title, entry.effect) for entry in tell(refuse_overlay)] == [
        (
            "routes changes on node-b",
            "unicast 10.244.0.0/16 out wormhole-wg0 metric 1024 -> nothing",
        ),
        ("routes changes on node-b", "nothing -> unreachable 10.244.0.0/16 metric 1024"),
    ]


def edit_peers(edit: Callable[[dict[NodeName, Peer]], dict[NodeName, Peer]]) -> Documents:
    documents = begin()
    mesh = documents.mesh
    [(group, peers)] = mesh.peer_groups.items()
    changed: MeshState = replace(mesh, peer_groups={group: edit(peers)})
    return replace(documents, mesh=changed)


def test_pods_whose_peers_forget_them_lose_their_network() -> None:
    half = Prefix("10.244.2.0/25")
    new = edit_peers(lambda peers: peers | {NODE: replace(peers[NODE], allowed_ips=(half,))})
    review = compare(begin(), new)
    assert [entry.impact for entry in review.entries] == [Impact.DISRUPTIVE]
    assert review.hosts == {
        NodeName("node-a"): Impact.HITLESS,
        NODE: Impact.DISRUPTIVE,
        NodeName("node-c"): Impact.HITLESS,
    }


def test_a_node_that_is_renamed_and_leaves_a_group_is_told_to_do_both() -> None:
    name = NodeName("node-x")
    old = begin()
    [(group, peers)] = old.mesh.peer_groups.items()
    left = {other: peer for other, peer in peers.items() if other != NODE}
    host = old.hosts[NODE]
    alone = replace(host, name=name, wireguard=replace(host.wireguard, peer_groups=("alone",)))
    groups = {group: left, "alone": {name: peers[NODE]}}
    hosts = {each: it for each, it in old.hosts.items() if each != NODE} | {name: alone}
    new = Documents(mesh=replace(old.mesh, peer_groups=groups), hosts=hosts)
    told = {entry.title: entry.impact for entry in compare(old, new).entries}
    assert told["node-b is renamed node-x"] is Impact.HITLESS
    assert told["peerGroups.mesh.node-x changes on 2 hosts"] is Impact.SESSION_DROP


def test_a_host_without_a_document_is_told_of_though_it_stays_a_peer() -> None:
    whole = begin()
    rest = replace(whole, hosts={name: it for name, it in whole.hosts.items() if name != NODE})
    told = [
        [f"{each.title}: {each.effect}" for each in compare(old, new).entries]
        for old, new in ((whole, rest), (rest, whole))
    ]
    assert told == [
        ["hosts/node-b.json is gone: its peers keep it"],
        ["hosts/node-b.json is new: its peers had it before"],
    ]


def test_a_group_that_nobody_joins_touches_nobody() -> None:
    old = begin()
    groups = old.mesh.peer_groups | {"spare": {}}
    [entry] = compare(old, replace(old, mesh=replace(old.mesh, peer_groups=groups))).entries
    assert (entry.title, entry.effect) == ("peerGroups.spare changes", "nothing -> {}")


def test_an_mtu_that_only_pods_get_is_no_tunnel_s() -> None:
    assert sentences(edit_plugin(mtu=9000)) == [
        "cni.config.plugins[0].mtu changes on node-b: 1440 -> 9000 (hitless)"
    ]


def test_an_mtu_is_told_of_the_devices_that_get_it() -> None:
    def lower(host: HostState) -> HostState:
        return replace(host, bridge=replace(host.bridge, mtu=1400))

    assert sentences(lower) == ["bridge.mtu changes on node-b: 1440 -> 1400 (hitless)"]


ODD: tuple[object, ...] = (
    "abc",
    "1400",
    True,
    {"verdict": 1, "comment": 2},
    {"verdict": "drop", "comment": "why", "more": 1},
    {"destination": 1, "type": [], "metric": {}},
    {"publicKey": 1, "allowedIPs": [1, 2]},
    {"publicKey": "k", "allowedIPs": ["p"], "endpoint": []},
)


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_cni_configuration_may_hold_what_looks_like_something_else(value: object) -> None:
    assert [entry.title for entry in tell(edit_plugin(mtu=value))] == [
        "cni.config.plugins[0].mtu changes on node-b"
    ]


def test_what_nothing_explains_is_not_the_last_to_be_told() -> None:
    """Else whoever wants to hide it makes so many changes that the rest is only counted."""

    def change(host: HostState) -> HostState:
        wireguard = replace(host.wireguard, persistent_keepalive=25)
        return edit_rules("guard", without(Verdict.DROP))(replace(host, wireguard=wireguard))

    assert [entry.cause for entry in tell(change)] == ["firewall", "keepalive"]
