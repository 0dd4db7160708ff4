"""A host's CNI configuration to the file that the container runtime reads, and back."""

import msgspec

from schemas.state import HostState


def render(host: HostState) -> dict[str, str]:
    """Write the network configuration list under its own name (CNI specification, section 1)."""
    return {host.cni.file_name: write(host.cni.config)}


def write(config: dict[str, object]) -> str:
    """Spell a configuration: keys sorted, two spaces, one newline at the end."""
    text = msgspec.json.encode(config, order="sorted")
    return msgspec.json.format(text, indent=2).decode() + "\n"


def read(text: str | bytes) -> dict[str, object]:
    """Read a configuration back.

    Raises:
        ValueError: not a JSON object (``msgspec.DecodeError`` is one).

    """
    return msgspec.json.decode(text, type=dict[str, object])
