"""A mesh of fifty nodes, and ten changes that its people make to it."""

import json
from collections.abc import Callable
from typing import Any, Final

from inventories import make_key

Objects = dict[str, dict[str, Any]]
"""Objects by name; the mesh is called ``mesh``."""


def begin() -> Objects:
    """Return the inventory before the first change."""
    mesh = {"overlayCIDRs": ["10.244.0.0/16"], "presharedKeyEpoch": "2026-10"}
    objects: Objects = {"mesh": mesh}
    for number in range(1, 51):
        add_node(objects, number)
    return objects


def add_node(objects: Objects, number: int) -> None:
    name = f"node-{number:02}"
    objects[name] = {
        "publicKey": make_key(name),
        "endpoint": f"192.0.2.{number}:9806",
        "podCIDRs": [f"10.244.{number}.0/24"],
    }


def spell(objects: Objects) -> str:
    """Return the inventory as text."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "List",
            "items": [
                {
                    "apiVersion": "wormhole.dev/v1alpha1",
                    "kind": "Mesh" if name == "mesh" else "MeshNode",
                    "metadata": {"name": "berlin" if name == "mesh" else name},
                    "spec": spec,
                }
                for name, spec in objects.items()
            ],
        }
    )


def _join(objects: Objects) -> None:
    add_node(objects, 51)


def _leave(objects: Objects) -> None:
    del objects["node-07"]


def _move(objects: Objects) -> None:
    objects["node-12"]["endpoint"] = "198.51.100.12:9806"


def _mtu(objects: Objects) -> None:
    objects["mesh"]["underlayMTU"] = 1420


def _overlay(objects: Objects) -> None:
    objects["mesh"]["overlayCIDRs"].append("10.250.0.0/16")


def _epoch(objects: Objects) -> None:
    objects["mesh"]["presharedKeyEpoch"] = "2026-11"


def _key(objects: Objects) -> None:
    objects["node-20"]["publicKey"] = make_key("node-20, again")


def _keepalive(objects: Objects) -> None:
    for name in ("node-30", "node-31"):
        objects[name]["persistentKeepalive"] = 25


def _exceptions(objects: Objects) -> None:
    objects["mesh"]["nonMasqueradeCIDRs"] = ["172.16.0.0/12"]


def _mixed(objects: Objects) -> None:
    """Three join, one leaves, one moves, a pod CIDR moves, one grows, the bridge has a new name."""
    for number in (52, 53, 54):
        add_node(objects, number)
    del objects["node-41"]
    objects["node-09"]["endpoint"] = "[2001:db8::9]:9806"
    objects["node-15"]["podCIDRs"] = ["10.250.15.0/24"]
    objects["node-16"]["podCIDRs"].append("10.244.15.0/24")
    objects["node-17"]["podCIDRs"].append("10.250.17.0/24")
    objects["node-33"]["listenPort"] = 51820
    objects["node-33"]["endpoint"] = "192.0.2.33:51820"


CHANGES: Final[dict[str, Callable[[Objects], None]]] = {
    "01-a-node-joins": _join,
    "02-a-node-leaves": _leave,
    "03-a-node-moves": _move,
    "04-the-mtu-falls": _mtu,
    "05-the-overlay-grows": _overlay,
    "06-the-epoch-rotates": _epoch,
    "07-a-key-rotates": _key,
    "08-two-nodes-keep-alive": _keepalive,
    "09-an-exception-from-masquerading": _exceptions,
    "10-many-things-at-once": _mixed,
}
