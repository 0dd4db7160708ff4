"""A small inventory as text, and the shape of a command line run in a test."""

from collections.abc import Callable

MESH = """\
apiVersion: wormhole.dev/v1alpha1
kind: Mesh
metadata: {name: demo}
spec:
  overlayCIDRs: [10.244.0.0/16]
"""
NODE = """\
---
apiVersion: wormhole.dev/v1alpha1
kind: MeshNode
metadata: {name: NAME}
spec:
  publicKey: KEY
  endpoint: 192.0.2.NUMBER
  podCIDRs: [10.244.NUMBER.0/24]
"""
OTHER_KEY = "X+zrZv/IbzjZUnhsbWlsecLbwjndTpG0ZynXOif7V+k="


def spell_node(name: str, key: str, number: int) -> str:
    return NODE.replace("NAME", name).replace("KEY", key).replace("NUMBER", str(number))


Wormhole = Callable[..., tuple[int, str, str]]
"""Runs a command line: exit code, standard output, standard error."""
