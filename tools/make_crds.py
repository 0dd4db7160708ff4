#!/usr/bin/env python3
"""JSON Schemas of what a cluster stores, to the CustomResourceDefinitions in ``deploy/base/crds``.

``make crds`` writes the files. They are never edited: the API server would then take other objects
than the compiler does.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

Schema = dict[str, Any]

ROOT: Final = Path(__file__).parents[1]
CRDS: Final = ROOT / "deploy" / "base" / "crds"
GROUP: Final = "wormhole.dev"
VERSION: Final = "v1alpha1"

_KEPT: Final = frozenset(
    {
        *("description", "type", "required", "enum", "pattern", "format"),
        *("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"),
        *("x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    }
)
_NESTED: Final = frozenset({"properties", "items", "not", "const"})
_DROPPED: Final = frozenset({"$schema", "$id", "title", "examples", "default", "x-rule", "x-key"})
_TYPES: Final[Mapping[type[object], str]] = {str: "string", bool: "boolean", int: "integer"}


def to_structural(schema: Schema, path: str) -> Schema:
    """Return a JSON Schema (2020-12) as the structural OpenAPI v3 schema that CRDs are made of.

    Defaults only become a sentence of the description. What is stored is then what somebody wrote,
    and the compiler stays the one place that fills in the rest, in a cluster and out of it.
    Unknown fields the server prunes, so ``additionalProperties: false`` is said already.

    Raises:
        ValueError: a keyword or a pattern that an API server would refuse or read otherwise.

    """
    _require_known(schema, path)
    structural = {key: value for key, value in schema.items() if key in _KEPT}
    if "const" in schema:
        structural["enum"] = [schema["const"]]
    if "type" not in schema:
        structural["type"] = _type_of(structural, path)
    if "not" in schema:
        structural["not"] = _value_rule(schema["not"], f"{path}.not")
    if schema.get("default") not in (None, {}, []):
        structural["description"] += f" Default: {_say(schema['default'])}."
    if "items" in schema:
        structural["items"] = to_structural(schema["items"], f"{path}[]")
    if "properties" in schema:
        structural["properties"] = {
            name: to_structural(each, f"{path}.{name}")
            for name, each in schema["properties"].items()
        }
    return structural


def _say(default: str | int) -> str:
    return default if isinstance(default, str) else json.dumps(default)


def _require_known(schema: Schema, path: str) -> None:
    unknown = schema.keys() - _KEPT - _NESTED - _DROPPED
    if schema.get("additionalProperties") is False:
        unknown -= {"additionalProperties"}
    if unknown:
        raise ValueError(f"{path}: no word for {', '.join(sorted(unknown))} in a CRD")
    if "(?" in schema.get("pattern", ""):
        raise ValueError(f"{path}.pattern {schema['pattern']!r}: RE2 knows no lookaround")


def _type_of(structural: Schema, path: str) -> str:
    """Return the type of a schema that lists its values. Every structural schema needs one."""
    types = {_TYPES[type(value)] for value in structural.get("enum", ())}
    if len(types) != 1:
        raise ValueError(f"{path}: needs a type")
    return types.pop()


def _value_rule(schema: Schema, path: str) -> Schema:
    """Return what stands under ``not``: about values only, never about structure."""
    if schema.keys() - {"enum", "pattern"}:
        raise ValueError(f"{path}: only enum and pattern may stand here")
    return dict(schema)


def to_stored(schema: Schema) -> Schema:
    """Return the structural schema of a whole object.

    The server itself demands and checks ``apiVersion``, ``kind`` and ``metadata``, and lets a
    schema say next to nothing about them. A status that nobody writes has no place.
    """
    fields = schema["properties"]
    own = {
        name: {"description": fields[name]["description"], "type": "string"}
        for name in ("apiVersion", "kind")
    }
    ours = {
        name: to_structural(fields[name], name)
        for name in ("spec", "status")
        if "type" in fields[name]
    }
    return {
        "description": schema["description"],
        "type": "object",
        "required": ["spec"],
        "properties": {**own, "metadata": {"type": "object"}, **ours},
    }


def column(name: str, kind: str, path: str, *, wide: bool = False) -> Schema:
    """Return a column of ``kubectl get``; a wide one is shown by ``-o wide`` only."""
    priority = {"priority": 1} if wide else {}
    return {"name": name, "type": kind, "jsonPath": path} | priority


def _condition(kind: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


_AGE: Final = column("Age", "date", ".metadata.creationTimestamp")
_COLUMNS: Final = {
    "mesh": (
        column("Overlay", "string", ".spec.overlayCIDRs"),
        column("Epoch", "string", ".spec.presharedKeyEpoch"),
        _AGE,
        column("Interface", "string", ".spec.interface", wide=True),
        column("Port", "integer", ".spec.listenPort", wide=True),
        column("MTU", "integer", ".spec.underlayMTU", wide=True),
    ),
    "meshnode": (
        column("Ready", "string", _condition("Ready", "status")),
        column("Endpoint", "string", ".spec.endpoint"),
        column("Pod CIDRs", "string", ".spec.podCIDRs"),
        column("Peers", "integer", ".status.peers"),
        column("Connected", "integer", ".status.connectedPeers"),
        column("Changed", "date", ".status.lastChange"),
        _AGE,
        column("Reason", "string", _condition("Ready", "reason"), wide=True),
        column("Degraded", "string", _condition("Degraded", "status"), wide=True),
        column("Conflict", "string", _condition("Conflict", "status"), wide=True),
        column("Epoch", "string", ".status.presharedKeyEpoch", wide=True),
        column("Key", "string", ".spec.publicKey", wide=True),
        column("Digest", "string", ".status.desiredDigest", wide=True),
        column("Version", "string", ".status.version", wide=True),
    ),
}
_NAMES: Final[Mapping[str, Schema]] = {
    "mesh": {"kind": "Mesh", "plural": "meshes", "singular": "mesh"},
    "meshnode": {
        "kind": "MeshNode",
        "plural": "meshnodes",
        "singular": "meshnode",
        "shortNames": ["mn"],
    },
}


def to_crd(stem: str, schema: Schema) -> Schema:
    """Return the CustomResourceDefinition of one of our kinds, by its schema's stem."""
    names = _NAMES[stem] | {"listKind": f"{_NAMES[stem]['kind']}List", "categories": ["wormhole"]}
    stored = to_stored(schema)
    subresources: Schema = (
        {"subresources": {"status": {}}} if "status" in stored["properties"] else {}
    )
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        **subresources,
        "additionalPrinterColumns": list(_COLUMNS[stem]),
        "schema": {"openAPIV3Schema": stored},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Cluster", "names": names, "versions": [version]},
    }


def render(stem: str) -> tuple[Path, str]:
    """Return the file of one kind's definition, and its text."""
    source = f"schemas/{stem}.schema.json"
    crd = to_crd(stem, json.loads((ROOT / source).read_text("utf-8")))
    text = yaml.dump(crd, Dumper=_Indented, sort_keys=False, width=100, allow_unicode=True)
    return CRDS / f"{_NAMES[stem]['plural']}.yaml", f"# Made from {source} by `make crds`.\n{text}"


class _Indented(yaml.SafeDumper):
    """Lists stand below their key, indented, and repeated values are written out."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the signature is PyYAML's
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def main() -> int:
    """Write what differs; name it."""
    for stem in _NAMES:
        path, text = render(stem)
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(f"written: {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
