"""Documents of meshes of any size, in which some are silent, move, join or leave."""

from collections.abc import Iterable

from inventories import make_inventory, make_mesh, make_node
from msgspec.structs import replace

from compiler.compile import compile_mesh
from schemas.state import Documents

HOSTILE = (
    "</script ><script>window.ran=1</script><!--<img src=x onerror=window.ran=2>\x1b[31m\u202e&amp;"
)
"""What would run, break out, colour or turn round, were it anything but text."""


def make_documents(
    numbers: int | Iterable[int],
    *,
    silent: Iterable[int] = (),
    moved: Iterable[int] = (),
    mesh: str = "demo",
) -> Documents:
    """Return a dual-stack mesh of numbered nodes; the silent have no endpoint."""
    several = range(numbers) if isinstance(numbers, int) else numbers
    nodes = [
        make_node(
            f"node-{number:04}",
            f"10.{number // 256}.{number % 256}.0/24",
            f"fd00:244:{number + 1:x}::/64",
            endpoint=None if number in {*silent} else spell_endpoint(number, number in {*moved}),
        )
        for number in several
    ]
    settings = make_mesh("10.0.0.0/8", "fd00:244::/32")
    documents = compile_mesh(make_inventory(settings, *nodes))
    return rename(documents, mesh) if mesh != "demo" else documents


def spell_endpoint(number: int, moved: bool = False) -> str:  # noqa: FBT001, FBT002 - a word of its own would be longer
    """Return the endpoint of a node: another network where it has moved."""
    return f"172.{20 if moved else 16}.{number // 256}.{number % 256}:9806"


def rename(documents: Documents, mesh: str) -> Documents:
    """Return the documents of a mesh of another name, as a person may write them by hand."""
    hosts = {name: replace(host, mesh=mesh) for name, host in documents.hosts.items()}
    return replace(documents, mesh=replace(documents.mesh, name=mesh), hosts=hosts)


def spoil(documents: Documents, text: str = HOSTILE) -> Documents:
    """Return documents with what no compiler writes, and a person can, wherever text is free."""
    hosts = {
        name: replace(
            host,
            cni=replace(host.cni, config={**host.cni.config, text: text}),
            sysctls={text: text},
            wireguard=replace(host.wireguard, preshared_key_epoch=text),
        )
        for name, host in documents.hosts.items()
    }
    return rename(replace(documents, hosts=hosts), text)
