import gc
import json
from collections.abc import Iterator

import pytest
import yaml

from compiler.inventory import Inventory, Mesh, Node
from compiler.parse import parse
from compiler.source import Source
from schemas.problems import Problems
from schemas.state import IptablesVariant
from schemas.values import Endpoint, InterfaceName, NodeName, Prefix, PublicKey

KEY_A = "zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o="
KEY_B = "arnx6499M4j0+dWG9m6Z/VQIDfLERvDlhmiwnAihbdA="
API = "wormhole.dev/v1alpha1"


def mesh(**spec: object) -> dict[str, object]:
    spec = {"overlayCIDRs": ["10.244.0.0/16"]} | spec
    return {"apiVersion": API, "kind": "Mesh", "metadata": {"name": "demo"}, "spec": spec}


def mesh_node(name: str = "node-a", **spec: object) -> dict[str, object]:
    spec = {"publicKey": KEY_A} | spec
    return {"apiVersion": API, "kind": "MeshNode", "metadata": {"name": name}, "spec": spec}


def core_node(
    name: str = "node-a", *addresses: tuple[str, str], **spec: object
) -> dict[str, object]:
    status = {"addresses": [{"type": kind, "address": address} for kind, address in addresses]}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    return node | {"spec": spec, "status": status}


def parse_objects(*objects: object) -> Inventory:
    text = "".join(f"{json.dumps(each)}\n" for each in objects)
    return parse([Source(name="-", text=text)])


def node(**fields: object) -> Node:
    """The node that :func:`mesh_node` gives."""
    given = {
        "name": NodeName("node-a"),
        "public_key": PublicKey(KEY_A),
        "pod_cidrs": (Prefix("10.244.0.0/24"),),
        "endpoint": Endpoint("192.0.2.1:9806"),
        "listen_port": 9806,
        "underlay_mtu": 1500,
        "persistent_keepalive": 0,
    }
    return Node(**given | fields)  # type: ignore[arg-type]  # a test's shorthand


def warnings_of(*objects: object) -> list[str]:
    return [str(warning) for warning in parse_objects(*objects).warnings]


def problems_of(*objects: object) -> list[str]:
    with pytest.raises(Problems) as caught:
        parse_objects(*objects)
    return [str(problem) for problem in caught.value.problems]


def test_half_of_a_surrogate_pair_is_a_problem_and_stops_no_reader() -> None:
    rule = "is not text: an escape in it is half of a UTF-16 pair"
    assert problems_of(mesh() | {"metadata": {"name": "\ud800"}}) == [f"-:1: {rule}"]


def test_defaults_of_the_mesh_are_filled_in() -> None:
    inventory = parse_objects(mesh(), mesh_node(endpoint="192.0.2.1", podCIDRs=["10.244.0.0/24"]))
    expected = Mesh(name="demo", overlay_cidrs=(Prefix("10.244.0.0/16"),))
    assert inventory == Inventory(mesh=expected, nodes=(node(),))


def test_every_field_of_the_mesh_is_read() -> None:
    spec = {
        "overlayCIDRs": ["fd00:244:0::/48", "10.244.0.0/16"],
        "listenPort": 1,
        "interface": "wg0",
        "bridge": "br0",
        "underlayMTU": 9000.0,
        "persistentKeepalive": 25,
        "masquerade": False,
        "nonMasqueradeCIDRs": ["192.168.0.0/16", "10.0.0.0/8", "10.0.0.0/8"],
        "iptablesVariant": "legacy",
        "cni": {"fileName": "05-w.conflist", "version": "1.1.0"},
        "presharedKeyEpoch": "2026-11",
    }
    cidrs = ["10.244.0.0/24", "FD00:244:0:1::/64"]
    inventory = parse_objects(mesh(**spec), mesh_node(endpoint="192.0.2.1", podCIDRs=cidrs))
    expected = Mesh(
        name="demo",
        overlay_cidrs=(Prefix("10.244.0.0/16"), Prefix("fd00:244::/48")),
        listen_port=1,
        interface=InterfaceName("wg0"),
        bridge=InterfaceName("br0"),
        underlay_mtu=9000,
        persistent_keepalive=25,
        masquerade=False,
        non_masquerade_cidrs=(Prefix("10.0.0.0/8"), Prefix("192.168.0.0/16")),
        iptables_variant=IptablesVariant.LEGACY,
        cni_file_name="05-w.conflist",
        cni_version="1.1.0",
        preshared_key_epoch="2026-11",
    )
    member = node(
        pod_cidrs=(Prefix("10.244.0.0/24"), Prefix("fd00:244:0:1::/64")),
        endpoint=Endpoint("192.0.2.1:1"),
        listen_port=1,
        underlay_mtu=9000,
        persistent_keepalive=25,
    )
    assert inventory == Inventory(mesh=expected, nodes=(member,))


def test_every_field_of_a_mesh_node_overrides_the_meshs() -> None:
    spec = {"listenPort": 7, "underlayMTU": 1400, "persistentKeepalive": 5}
    member = mesh_node(endpoint="192.0.2.1", podCIDRs=["10.244.0.0/24"], **spec)
    expected = node(
        endpoint=Endpoint("192.0.2.1:7"), listen_port=7, underlay_mtu=1400, persistent_keepalive=5
    )
    assert parse_objects(mesh(), member).nodes == (expected,)


@pytest.mark.parametrize(
    ("written", "endpoint"),
    [
        ("192.0.2.1", "192.0.2.1:9806"),
        ("192.0.2.1:1", "192.0.2.1:1"),
        ("2001:DB8:0::1", "[2001:db8::1]:9806"),
        ("[2001:db8::1]", "[2001:db8::1]:9806"),
        ("[2001:db8::1]:65535", "[2001:db8::1]:65535"),
        ("[2001:db8::9806]:9806", "[2001:db8::9806]:9806"),
    ],
)
def test_endpoint_is_canonical_and_has_its_port(written: str, endpoint: str) -> None:
    member = mesh_node(endpoint=written, podCIDRs=["10.244.0.0/24"])
    assert parse_objects(mesh(), member).nodes[0].endpoint == endpoint


@pytest.mark.parametrize(
    ("addresses", "endpoint"),
    [
        ([("Hostname", "a"), ("InternalIP", "192.0.2.1")], "192.0.2.1:9806"),
        ([("ExternalIP", "203.0.113.1"), ("InternalIP", "192.0.2.1")], "192.0.2.1:9806"),
        ([("ExternalIP", "203.0.113.1"), ("ExternalDNS", "a")], "203.0.113.1:9806"),
        ([("InternalIP", "2001:db8::9806"), ("InternalIP", "192.0.2.1")], "[2001:db8::9806]:9806"),
        ([], None),
    ],
)
def test_node_supplies_the_endpoint(addresses: list[tuple[str, str]], endpoint: str | None) -> None:
    core = core_node("node-a", *addresses, podCIDR="10.244.0.0/24")
    assert parse_objects(mesh(), mesh_node(), core).nodes[0].endpoint == endpoint


@pytest.mark.parametrize(
    "spec",
    [
        {"podCIDR": "10.244.0.0/24"},
        {"podCIDR": "10.244.0.0/24", "podCIDRs": []},
        {"podCIDR": "10.244.9.0/24", "podCIDRs": ["10.244.0.0/24"]},
    ],
)
def test_node_supplies_the_pod_cidrs(spec: dict[str, object]) -> None:
    core = core_node("node-a", ("InternalIP", "192.0.2.1"), **spec)
    assert parse_objects(mesh(), mesh_node(), core).nodes == (node(),)


def test_mesh_node_goes_before_node() -> None:
    core = core_node("node-a", ("InternalIP", "192.0.2.9"), podCIDRs=["10.244.9.0/24"])
    member = mesh_node(endpoint="192.0.2.1", podCIDRs=["10.244.0.0/24"])
    assert parse_objects(mesh(), member, core).nodes == (node(),)


def test_halves_are_left_out_with_a_warning() -> None:
    whole = mesh_node(endpoint="192.0.2.1", podCIDRs=["10.244.0.0/24"])
    gone = mesh_node("node-gone", publicKey=KEY_A, podCIDRs=["10.244.0.0/24"])
    inventory = parse_objects(mesh(), whole, core_node(), gone, core_node("node-new"))
    assert (inventory.nodes, [str(each) for each in inventory.warnings]) == (
        (node(),),
        [
            (
                "-:4: MeshNode/node-gone: left out: the inventory has Nodes, but none of "
                "this name; "
                "was it removed?"
            ),
            (
                "-:5: Node/node-new: left out: has no MeshNode of its name yet, so its "
                "public key is "
                "unknown"
            ),
        ],
    )


@pytest.mark.parametrize(
    ("keepalive", "hint"), [(0, ", so give it a persistentKeepalive"), (25, "")]
)
def test_member_without_endpoint_goes_on_with_a_warning(keepalive: int, hint: str) -> None:
    silent = mesh_node(podCIDRs=["10.244.0.0/24"], persistentKeepalive=keepalive)
    assert warnings_of(mesh(), silent) == [
        "-:2: MeshNode/node-a: has no endpoint: others cannot reach it until it has spoken to them"
        + hint
    ]


def test_member_that_lacks_a_family_goes_on_with_a_warning() -> None:
    dual = mesh(overlayCIDRs=["10.244.0.0/16", "fd00:244::/48"])
    assert warnings_of(dual, mesh_node(endpoint="192.0.2.1", podCIDRs=["10.244.0.0/24"])) == [
        "-:2: MeshNode/node-a: has no IPv6 pod CIDR: its pods get no IPv6, which the overlay has"
    ]


UNENCRYPTED = "since a host drops packets from overlay addresses that come unencrypted"
PAIR = (
    mesh_node(endpoint="192.0.2.1", podCIDRs=["10.244.0.0/24"]),
    mesh_node("node-b", publicKey=KEY_B, endpoint="192.0.2.2", podCIDRs=["10.244.1.0/24"]),
)


def test_pods_that_are_not_masqueraded_are_said_not_to_reach_other_nodes() -> None:
    assert warnings_of(mesh(masquerade=False), *PAIR) == [
        (
            "-:1: Mesh/demo spec.masquerade: is false:"
            f" pods cannot reach the other nodes' own addresses, {UNENCRYPTED}"
        )
    ]
    assert warnings_of(mesh(masquerade=False), PAIR[0]) == []


def test_an_exception_from_masquerading_that_holds_nodes_is_warned_about() -> None:
    inner = mesh(nonMasqueradeCIDRs=["172.16.0.0/12", "192.0.2.0/24"])
    assert warnings_of(inner, *PAIR) == [
        (
            "-:1: Mesh/demo spec.nonMasqueradeCIDRs[1] '192.0.2.0/24': holds the endpoint of"
            " MeshNode/node-a and of 1 more: pods of other nodes cannot reach a node there,"
            f" {UNENCRYPTED}"
        )
    ]
    assert warnings_of(mesh(nonMasqueradeCIDRs=["172.16.0.0/12"]), *PAIR) == []


def test_different_underlay_mtus_are_warned_about() -> None:
    wide = mesh_node(endpoint="192.0.2.1", podCIDRs=["10.244.0.0/24"], underlayMTU=9000)
    narrow = mesh_node("node-b", publicKey=KEY_B, endpoint="192.0.2.2", podCIDRs=["10.244.1.0/24"])
    assert warnings_of(mesh(), wide, narrow) == [
        (
            "-:1: Mesh/demo: the nodes' underlay MTUs differ (1500 on 1, 9000 on 1): a path "
            "carries no "
            "more than its narrower end, so large packets to it may be lost"
        )
    ]


def test_objects_of_other_kinds_are_counted() -> None:
    strangers = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"any": "thing"}},
        {"apiVersion": "metrics.k8s.io/v1beta1", "kind": "Node", "metadata": {}},
        {"apiVersion": "v1", "kind": "PodList", "items": [{}, {}]},
    ]
    member = mesh_node(endpoint="192.0.2.1", podCIDRs=["10.244.0.0/24"])
    inventory = parse_objects(mesh(), member, *strangers)
    assert (inventory.skipped, inventory.nodes, inventory.warnings) == (4, (node(),), ())


def test_objects_that_were_perhaps_meant_for_us_are_warned_about() -> None:
    member = mesh_node(endpoint="192.0.2.1", podCIDRs=["10.244.0.0/24"])
    peer = {"apiVersion": API, "kind": "MeshPeer", "metadata": {"name": "laptop"}}
    other = {"apiVersion": "wormhole.io/v1", "kind": "MeshNode", "metadata": {"name": "b"}}
    assert warnings_of(mesh(), member, peer, other) == [
        "-:3: MeshPeer/laptop: external peers come in a later version: left out",
        (
            "-:4: MeshNode/b apiVersion 'wormhole.io/v1': is not wormhole.dev/v1alpha1: "
            "skipped, as "
            "every object of somebody else's"
        ),
    ]


def wrap(objects: list[object]) -> Iterator[str]:
    listed = {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": objects}
    nested = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [listed, {"kind": "List", "items": None}],
    }
    for each in (listed, nested):
        yield json.dumps(each)
        yield json.dumps(each, indent=2)
        yield yaml.safe_dump(each)
        yield yaml.safe_dump(each, default_flow_style=True)
    yield yaml.safe_dump_all(objects)
    yield "".join(json.dumps(each) for each in objects)


def test_every_way_to_write_objects_gives_the_same_inventory() -> None:
    objects = [
        mesh(),
        mesh_node(),
        core_node("node-a", ("InternalIP", "192.0.2.1"), podCIDR="10.244.0.0/24"),
    ]
    found = [parse([Source(name="-", text=text)]) for text in wrap(objects)]
    assert [(each.mesh, each.nodes[0].endpoint) for each in found] == [
        (found[0].mesh, "192.0.2.1:9806")
    ] * 10


def test_typed_lists_of_the_api_server_are_unfolded() -> None:
    member = {key: mesh_node()[key] for key in ("metadata", "spec")}
    core = {"metadata": {"name": "node-a"}, "spec": {"podCIDR": "10.244.0.0/24"}}
    inventory = parse_objects(
        {"apiVersion": API, "kind": "MeshList", "items": [mesh()]},
        {
            "apiVersion": API,
            "kind": "MeshNodeList",
            "metadata": {"continue": ""},
            "items": [member],
        },
        {"apiVersion": "v1", "kind": "NodeList", "items": [core]},
    )
    assert [each.name for each in inventory.nodes] == ["node-a"]


def test_what_is_wrong_with_a_node_that_is_left_out_does_not_matter() -> None:
    whole = mesh_node(endpoint="192.0.2.1", podCIDRs=["10.244.0.0/24"])
    gone = mesh_node("node-gone", publicKey=KEY_A, podCIDRs=["1.2.3.4/5"], endpoint="name")
    assert parse_objects(mesh(), whole, core_node(), gone).nodes == (node(),)


def test_broken_mesh_still_lets_everything_else_be_checked() -> None:
    assert problems_of(
        mesh(overlayCIDRs=["10.244.0.0/16", "x"], listenPort=0),
        mesh_node(podCIDRs=["10.244.0.1/24"], endpoint="10.244.0.1"),
    ) == [
        "-:1: Mesh/demo spec.listenPort '0': must be between 1 and 65535",
        (
            "-:1: Mesh/demo spec.overlayCIDRs[1] 'x': must be an IP prefix, such as "
            "10.244.1.0/24 or "
            "fd00:244:0:1::/64"
        ),
        (
            "-:2: MeshNode/node-a spec.endpoint '10.244.0.1:9806': is inside overlay CIDR "
            "10.244.0.0/16: encrypted packets to it would be sent into the tunnel again"
        ),
        (
            "-:2: MeshNode/node-a spec.podCIDRs[0] '10.244.0.1/24': has host bits set: the "
            "prefix is "
            "10.244.0.0/24"
        ),
    ]


def test_unreadable_source_is_not_called_an_empty_one() -> None:
    with pytest.raises(Problems) as caught:
        parse([Source(name="a.yaml", text="{"), Source(name="b.yaml", text="")])
    assert [problem.file for problem in caught.value.problems] == ["a.yaml"]


@pytest.mark.parametrize("sources", [[], [Source(name="a", text=""), Source(name="b", text="---")]])
def test_nothing_at_all_is_an_error(sources: list[Source]) -> None:
    with pytest.raises(Problems) as caught:
        parse(sources)
    rule = "the inventory is empty: there is no Kubernetes object in it"
    assert str(caught.value) == rule


def test_largest_prefixes_without_room_and_smallest_with_room() -> None:
    dual = mesh(overlayCIDRs=["10.244.0.0/16", "fd00:244::/48"])
    fits = mesh_node(endpoint="192.0.2.1", podCIDRs=["10.244.0.0/28", "fd00:244::/124"])
    assert parse_objects(dual, fits).nodes[0].pod_cidrs == ("10.244.0.0/28", "fd00:244::/124")


@pytest.mark.parametrize(
    ("endpoint", "least"), [("192.0.2.1", 1340), ("2001:db8::1", 1360)], ids=["ipv4", "ipv6"]
)
def test_smallest_underlay_mtu_that_is_named_works(endpoint: str, least: int) -> None:
    dual = mesh(overlayCIDRs=["10.244.0.0/16", "fd00:244::/48"], underlayMTU=least)
    member = mesh_node(endpoint=endpoint, podCIDRs=["10.244.0.0/24", "fd00:244::/64"])
    assert parse_objects(dual, member).nodes[0].underlay_mtu == least
    narrower = dict(
        dual,
        spec=dict(
            mesh()["spec"], overlayCIDRs=["fd00:244::/48", "10.244.0.0/16"], underlayMTU=least - 1
        ),
    )  # type: ignore[call-overload]  # a test's shorthand
    assert problems_of(narrower, member) == [
        (
            f"-:1: Mesh/demo spec.underlayMTU '{least - 1}': leaves 1264 bytes inside the "
            f"tunnel, and "
            f"IPv6 needs 1280: the smallest that works here is {least}"
        )
    ]


@pytest.mark.parametrize(
    "text", [KEY_B, f"- {KEY_B}", f"!!int {KEY_B}", f"a: {KEY_B}: c", f'{{"a": "{KEY_B}']
)
def test_file_that_holds_a_secret_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(Problems) as caught:
        parse([Source(name="private.key", text=text)])
    assert KEY_B not in str(caught.value)


def test_garbage_collector_is_left_as_it_was() -> None:
    with pytest.raises(Problems):
        parse([])
    assert gc.isenabled()
