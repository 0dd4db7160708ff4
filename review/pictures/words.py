"""A picture to the sentences that stand beside it."""

from collections.abc import Iterator

from review.changes.wording import count
from review.pictures.picture import SIGNS, Change, Node, Picture
from schemas.problems import neutralise


def describe_pairs(picture: Picture) -> Iterator[str]:
    """Yield who meets whom, the rule before its exceptions."""
    pairs = picture.pairs
    if pairs.meeting == pairs.total:
        whole = "every node with every node" if pairs.total > 1 else "a tunnel between both"
        yield f"{count(pairs.total, 'pair')}: {whole}" if pairs.total else "no other node to meet"
    else:
        yield f"{pairs.meeting:,} of {count(pairs.total, 'pair')} meet"
    if pairs.first:
        yield f"{pairs.first:,} of them once the node without an endpoint has spoken first"
    if pairs.never:
        yield f"{count(pairs.never, 'pair')} can never meet: neither node has an endpoint"
    if pairs.one_sided:
        yield f"{count(pairs.one_sided, 'pair')} one-sided: one node does not know the other"
    if pairs.strangers:
        yield f"{count(pairs.strangers, 'pair')} share no peer group"


def describe_changes(picture: Picture, *, signed: bool = True) -> str:
    """Return ``+ 1 joins, - 2 leave, ~ 3 change``, or that nothing does; empty of one state."""
    if not picture.compared:
        return ""
    verbs = {
        Change.JOINS: ("joins", "join"),
        Change.LEAVES: ("leaves", "leave"),
        Change.CHANGED: ("changes", "change"),
    }
    parts = []
    for change, (one, many) in verbs.items():
        if number := sum(node.change is change for node in picture.nodes):
            said = f"{count(number, 'node')} {one if number == 1 else many}"
            parts.append(f"{SIGNS[change]} {said}" if signed else said)
    return ", ".join(parts) or "no node changes"


def title_of(picture: Picture) -> str:
    """Return ``Mesh demo: 3 nodes``."""
    return f"Mesh {neutralise(picture.mesh)}: {count(len(picture.present), 'node')}"


def describe(picture: Picture) -> str:
    """Return everything in one paragraph, for whoever does not see the picture."""
    changes = describe_changes(picture, signed=False)
    sentences = ["; ".join(describe_pairs(picture)), *([changes] if changes else [])]
    return ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences) + "."


def name_of(node: Node) -> str:
    """Return the node's name after its sign: ``+ node-d``."""
    return f"{SIGNS[node.change]} {neutralise(node.name)}".strip()


def endpoint_of(node: Node) -> str:
    """Return the node's endpoint, or that it has none."""
    return neutralise(node.endpoint) if node.endpoint else "no endpoint: speaks first"


def spell_fields(node: Node) -> str:
    """Return what becomes of a node: ``joins``, ``changes endpoint, MTU``."""
    return f"{node.change} {', '.join(node.fields)}".strip()
