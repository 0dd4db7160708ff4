"""What single changes are called, those that the ten commits do not show among them."""

from collections.abc import Callable

import pytest
from inventories import make_inventory, make_key, make_mesh, make_node
from msgspec.structs import replace

from compiler.compile import compile_mesh
from compiler.inventory import Inventory
from review.changes.compare import compare
from review.changes.markdown import quote, write_markdown
from review.changes.review import Cause, Entry, Impact, Review
from review.changes.summary import describe_text, summarise
from schemas.state import Documents, HostState, Rule, Verdict
from schemas.values import Endpoint, NodeName, Prefix

NAMES = ("node-a", "node-b", "node-c", "node-d")


def begin(count: int = 4, **mesh: object) -> Inventory:
    nodes = (
        make_node(name, f"10.244.{n}.0/24", endpoint=Endpoint(f"192.0.2.{n}:9806"))
        for n, name in enumerate(NAMES[:count], 1)
    )
    return make_inventory(make_mesh("10.244.0.0/16", **mesh), *nodes)


def change_node(which: str, **fields: object) -> Callable[[Inventory], Inventory]:
    def change(inventory: Inventory) -> Inventory:
        nodes = (replace(n, **fields) if n.name == which else n for n in inventory.nodes)
        return make_inventory(inventory.mesh, *nodes)

    return change


def change_mesh(**fields: object) -> Callable[[Inventory], Inventory]:
    return lambda inventory: replace(inventory, mesh=replace(inventory.mesh, **fields))


def sentences(old: Documents, new: Documents) -> list[str]:
    return [f"{e.title}: {e.effect} ({e.impact})" for e in compare(old, new).entries]


def test_the_issue_s_own_examples() -> None:
    three, four = compile_mesh(begin(3)), compile_mesh(begin())
    moved = change_node("node-b", endpoint=Endpoint("192.0.2.9:9806"))
    grown = change_mesh(overlay_cidrs=(Prefix("10.244.0.0/16"), Prefix("10.250.0.0/16")))
    assert sentences(three, four) == ["node-d joins: 3 hosts gain a peer (hitless)"]
    assert sentences(four, compile_mesh(moved(begin()))) == [
        "node-b moves to 192.0.2.9:9806: 3 hosts change one endpoint, no session is lost (hitless)"
    ]
    assert sentences(four, compile_mesh(grown(begin()))) == [
        "overlay grows by 10.250.0.0/16: 4 hosts gain 2 routes and 10 rules (hitless)"
    ]


SENTENCES: dict[str, tuple[Callable[[Inventory], Inventory], str]] = {
    "rename": (
        change_node("node-b", name=NodeName("node-x")),
        (
            "node-b is renamed node-x: same key, no session is lost; its bridge has another MAC"
            " address, which pods relearn (session drop)"
        ),
    ),
    "no endpoint": (
        change_node("node-b", endpoint=None),
        (
            "node-b loses its endpoint: 3 hosts keep the session, and cannot begin one: node-b must"
            " speak first (hitless)"
        ),
    ),
    "device": (
        change_mesh(interface="tunnel0"),
        (
            "WireGuard device wormhole-wg0 becomes tunnel0: 4 hosts delete the old one, and all"
            " sessions with it (disruptive)"
        ),
    ),
    "bridge": (
        change_mesh(bridge="pods0"),
        (
            "bridge wormhole-br0 becomes pods0: 4 hosts delete the old one: pods plugged into "
            "it lose"
            " their network (disruptive)"
        ),
    ),
    "masquerade": (
        change_mesh(masquerade=False),
        (
            "masquerading is switched off: 4 hosts lose 2 rules; pods leave with their own "
            "addresses"
            " (hitless)"
        ),
    ),
    "variant": (
        change_mesh(iptables_variant="nft"),
        (
            "iptables variant changes from auto to nft: rules go to the new one, and from the "
            "old one"
            " if it differs (hitless)"
        ),
    ),
    "CNI file": (
        change_mesh(cni_file_name="20-pods.conflist"),
        (
            "CNI file 10-wormhole.conflist becomes 20-pods.conflist: 4 hosts rename it in place;"
            " running pods notice nothing (hitless)"
        ),
    ),
    "epoch": (
        change_mesh(preshared_key_epoch="2026-11"),
        (
            "pre-shared keys begin with epoch 2026-11: 4 hosts derive a key for every peer, in "
            "place"
            " (hitless)"
        ),
    ),
    "mesh": (
        change_mesh(name="prod"),
        (
            "mesh demo is renamed prod: every bridge has another MAC address, which pods relearn"
            " (session drop)"
        ),
    ),
    "MTU of one": (
        change_node("node-b", underlay_mtu=1400),
        (
            "tunnel MTU falls from 1440 to 1328 on node-b: it changes the device, the bridge "
            "and the"
            " CNI file in place; running pods keep theirs (hitless)"
        ),
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_one_change_is_one_sentence(case: str) -> None:
    change, sentence = SENTENCES[case]
    assert sentences(compile_mesh(begin()), compile_mesh(change(begin()))) == [sentence]


def with_host(
    documents: Documents, name: str, change: Callable[[HostState], HostState]
) -> Documents:
    key = NodeName(name)
    return replace(documents, hosts=documents.hosts | {key: change(documents.hosts[key])})


def open_the_guard(host: HostState) -> HostState:
    guard, *others = host.firewall.ipv4
    hole = Rule(verdict=Verdict.RETURN, comment="oh", destination=Prefix("10.250.0.0/16"))
    guard = replace(guard, rules=(hole, *guard.rules))
    return replace(host, firewall=replace(host.firewall, ipv4=(guard, *others)))


def test_a_hole_in_the_firewall_does_not_hide_behind_a_change_that_it_looks_like() -> None:
    grown = change_mesh(overlay_cidrs=(Prefix("10.244.0.0/16"), Prefix("10.250.0.0/16")))
    new = with_host(compile_mesh(grown(begin())), "node-b", open_the_guard)
    assert sentences(compile_mesh(begin()), new) == [
        (
            "IPv4 chain guard changes by 1 rule on node-b: no other change explains it: it gains"
            " 'return to the overlay (oh)' (hitless)"
        ),
        "overlay grows by 10.250.0.0/16: 4 hosts gain 2 routes and 10 rules (hitless)",
    ]


def test_what_no_rule_knows_is_shown_as_it_stands() -> None:
    old = compile_mesh(begin())
    new = with_host(
        old, "node-b", lambda host: replace(host, cni=replace(host.cni, config={"x": [1, True]}))
    )
    assert "cni.config.x changes on node-b: nothing -> [1, true] (hitless)" in sentences(old, new)


def test_many_nodes_of_a_kind_are_one_entry() -> None:
    inventory = begin()
    moved = make_inventory(
        inventory.mesh,
        *(
            replace(n, endpoint=Endpoint(f"198.51.100.{i}:9806"))
            for i, n in enumerate(inventory.nodes, 1)
        ),
    )
    review = compare(compile_mesh(inventory), compile_mesh(moved))
    assert [entry.title for entry in review.entries] == ["4 nodes move"]
    assert review.entries[0].details[0] == "node-a: 192.0.2.1:9806 -> 198.51.100.1:9806"


def test_a_summary_tells_what_fits_and_counts_the_rest() -> None:
    old, new = begin(), begin()
    for which, fields in (
        ("node-a", {"public_key": make_key("x")}),
        ("node-b", {"endpoint": Endpoint("198.51.100.77:9806")}),
        ("node-c", {"persistent_keepalive": 25}),
        ("node-d", {"underlay_mtu": 9000}),
    ):
        new = change_node(which, **fields)(new)
    review = compare(compile_mesh(old), compile_mesh(new))
    assert summarise(review) == "node-a changes its key, 3 more changes"
    assert summarise(compare(compile_mesh(old), compile_mesh(old))) == "no changes"


def review_of(*entries: Entry) -> Review:
    return replace(compare(compile_mesh(begin()), compile_mesh(begin())), entries=entries)


def entry_of(title: str, effect: str = "nothing") -> Entry:
    return Entry(
        cause=Cause.OTHER,
        subjects=(),
        title=title,
        effect=effect,
        impact=Impact.HITLESS,
        hosts={},
        details=(title,),
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("node-d joins", "node-d joins"),
        ("a_b_c", "`a_b_c`"),
        ("<img src=x>", "`<img src=x>`"),
        ("ping @everybody #1", "`ping @everybody #1`"),
        ("see https://example.com", "`see https://example.com`"),
        ("www.example.com", "`www.example.com`"),
        ("`rm -rf`", "`` `rm -rf` ``"),
        ("a | b", "`a | b`"),
        ("two\nlines\x1b[2J", "`two\\nlines\\x1b[2J`"),
    ],
)
def test_what_others_wrote_is_nothing_to_markdown(text: str, shown: str) -> None:
    assert quote(text) == shown


def test_details_do_not_end_their_own_block() -> None:
    text = write_markdown(review_of(entry_of("```\n</details><script>")))
    assert "````text\n```\\n</details><script>: nothing\n" in text
    assert text.endswith("\n````\n\n</details>")


def test_a_comment_stays_below_the_limit_of_github_whatever_changes() -> None:
    text = write_markdown(review_of(*(entry_of("x" * 5000, "y<" * 5000) for _ in range(3000))))
    assert len(text) < 65_536
    assert "- and 2,980 more changes\n" in text
    assert "The rest is too long for a comment: wormhole diff -v tells all of it." in text


def test_a_long_list_of_entries_is_cut_in_text_unless_all_are_asked_for() -> None:
    review = review_of(*(entry_of(f"change {number}") for number in range(15)))
    assert "  and 3 more changes (-v shows them)" in describe_text(review)
    assert "hitless       change 14: nothing" in describe_text(review, verbose=True)


def test_a_hundred_thousand_changes_are_counted_at_once() -> None:
    """Trying how many of them fit a line, from all of them down, would take an hour."""
    old = begin()
    one = compare(compile_mesh(old), compile_mesh(change_mesh(masquerade=False)(old)))
    review = replace(one, entries=one.entries[:1] * 100_000)
    assert summarise(review) == f"{one.entries[0].title}, 99,999 more changes"
