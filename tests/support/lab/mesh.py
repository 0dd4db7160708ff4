"""Turn hosts of the laboratory into an inventory, and that into a state folder."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lab.network import LabHost, Outcome

PORT: Final = 9806
API_VERSION: Final = "wormhole.dev/v1alpha1"
OVERLAY: Final = ("10.244.0.0/16", "fd00:244::/48")


class Mesh:
    """An inventory on disk, to be changed and compiled again. Its nodes are hosts of a lab."""

    def __init__(self, folder: Path, **spec: object) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.spec: dict[str, object] = {"overlayCIDRs": list(OVERLAY), **spec}
        self.nodes: dict[str, dict[str, Any]] = {}
        """The spec of each ``MeshNode``, by name."""

    def join(self, host: LabHost, pod_cidrs: Sequence[str], *, ipv6: bool = False) -> None:
        """Make the host's key and write its node down; ``ipv6`` chooses the endpoint's family."""
        address = f"[{host.ipv6}]" if ipv6 else host.ipv4
        self.nodes[host.name] = {
            "publicKey": host.wormhole("keygen", expect=0).stdout.split()[-1],
            "endpoint": f"{address}:{PORT}",
            "podCIDRs": list(pod_cidrs),
        }

    def write(self) -> Path:
        """Write the inventory as one JSON ``List``; return its path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "inventory.json"
        items = [_object("Mesh", "lab", self.spec)]
        items += [_object("MeshNode", name, spec) for name, spec in self.nodes.items()]
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1))
        return path

    def compile(self, host: LabHost) -> Path:
        """Write and compile the inventory, on any host; return the state folder."""
        host.wormhole("compile", str(self.write()), "-o", str(self.state), expect=0)
        return self.state

    def plan(self, host: LabHost, *, expect: int | None = None) -> Outcome:
        """Run ``wormhole plan`` for this host on it."""
        return host.wormhole("plan", str(self.state), "--host", host.name, expect=expect)

    def plan_json(self, host: LabHost) -> dict[str, Any]:
        """Return the plan document of this host."""
        arguments = ("plan", str(self.state), "--host", host.name, "--json")
        document: dict[str, Any] = json.loads(host.wormhole(*arguments).stdout)
        return document

    def apply(self, host: LabHost, *extra: str, expect: int | None = 0) -> Outcome:
        """Run ``wormhole apply`` for this host on it."""
        return host.wormhole("apply", str(self.state), "--host", host.name, *extra, expect=expect)

    def peer_name(self, public_key: str) -> str:
        """Return the node that has this public key."""
        return next(name for name, node in self.nodes.items() if node["publicKey"] == public_key)


def place_master(host: LabHost, epoch: str, master: str) -> None:
    """Put an epoch's master secret (base64) where the host looks for it."""
    folder = "/var/lib/wormhole/psk"
    host.run("sh", "-euc", f"umask 077; mkdir -p {folder}; cat >{folder}/{epoch}", stdin=master)


def expected_psk(master: str, epoch: str, one: str, other: str) -> str:
    """Derive two nodes' pre-shared key as the design has it, by another library than ours."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - only here
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 - only here

    pair = b"".join(sorted(b64decode(key) for key in (one, other)))
    info = epoch.encode() + b"\x00" + pair
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=b"wormhole/psk/v1", info=info)
    return b64encode(hkdf.derive(b64decode(master))).decode()


def _object(kind: str, name: str, spec: Mapping[str, object]) -> dict[str, object]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
