"""Objects to canonical YAML: the same objects, the same bytes."""

import re
from typing import Any, Final

import yaml

from wormhole.cluster.api import Object

MARK: Final = "# From a cluster: wormhole inventory pull writes this file, and removes it."
"""The first line of every file that a pull writes; by it the next one knows what it may change."""


_NUMBER: Final = re.compile(
    r"[-+]?(?:0[xXoObB][0-9a-fA-F_]+|[0-9_]*\.?[0-9_]*(?:[eE][-+]?[0-9]+)?)"
)
"""Everything that might be one: quotes too many do no harm."""


def spell_objects(objects: tuple[Object, ...]) -> bytes:
    """Return a stream of documents, fields in the order of their names, below the mark."""
    documents = [_spell(each) for each in objects]
    return "---\n".join([f"{MARK}\n{documents[0]}", *documents[1:]]).encode()


def is_marked(content: bytes) -> bool:
    """Whether a file was written by a pull."""
    return content.partition(b"\n")[0] == MARK.encode()


class _Dumper(yaml.CSafeDumper):
    """Never writes an anchor: two equal lists may be one object in memory."""

    def ignore_aliases(self, _data: Any) -> bool:  # noqa: ANN401 - the base takes anything
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    """Quote what a reader of YAML 1.2, as Kubernetes' and ours, takes for a number: ``1e5``."""
    style = "'" if _NUMBER.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _spell(document: Object) -> str:
    text: str = yaml.dump(
        document, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=2**16
    )
    return text
