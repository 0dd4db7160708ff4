"""Meshes of any size, the same each time: as an inventory, and as wg-meshconf's database."""

import csv
import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

_COLUMNS = (
    *("Name", "Address", "Endpoint", "AllowedIPs", "ListenPort", "PersistentKeepalive", "FwMark"),
    *("PrivateKey", "DNS", "MTU", "Table", "PreUp", "PostUp", "PreDown", "PostDown", "SaveConfig"),
)
"""wg-meshconf 2.5.1, ``database_manager.KEY_TYPE``."""


def private_key(number: int) -> bytes:
    """Return a node's private key: a benchmark's, so anybody may know it."""
    return sha256(f"wormhole bench {number}".encode()).digest()


def public_key(number: int) -> str:
    """Return a node's public key, base64."""
    key = X25519PrivateKey.from_private_bytes(private_key(number)).public_key()
    return b64encode(key.public_bytes_raw()).decode()


def write_inventory(path: Path, size: int, *, moved: int | None = None) -> Path:
    """Write a dual-stack mesh as one JSON list; ``moved`` is a node with another endpoint."""
    spec = {"overlayCIDRs": ["10.0.0.0/8", "fd00:244::/32"]}
    items = [_object("Mesh", "bench", spec)]
    items += [_object("MeshNode", _name(i), _spec(i, moved=i == moved)) for i in range(size)]
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return path


def write_database(path: Path, size: int) -> Path:
    """Write the same mesh as wg-meshconf's CSV, private keys included, as it wants them."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, quoting=csv.QUOTE_ALL, restval="")
        writer.writeheader()
        writer.writerows(_row(number) for number in range(size))
    return path


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "wormhole.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def _name(number: int) -> str:
    return f"node-{number:04}"


def _spec(number: int, *, moved: bool) -> dict[str, Any]:
    return {
        "publicKey": public_key(number),
        "endpoint": f"{_address(number + (100_000 if moved else 0))}:9806",
        "podCIDRs": _pod_cidrs(number),
    }


def _row(number: int) -> dict[str, Any]:
    return {
        "Name": _name(number),
        "Address": f"10.{number // 256}.{number % 256}.2/32",
        "Endpoint": _address(number),
        "AllowedIPs": ",".join(_pod_cidrs(number)),
        "ListenPort": 9806,
        "PrivateKey": b64encode(private_key(number)).decode(),
    }


def _address(number: int) -> str:
    return f"172.{16 + number // 65536}.{number // 256 % 256}.{number % 256}"


def _pod_cidrs(number: int) -> list[str]:
    return [f"10.{number // 256}.{number % 256}.0/24", f"fd00:244:{number:x}::/64"]
