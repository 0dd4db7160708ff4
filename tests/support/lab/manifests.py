"""Turn the shipped kustomize base into the objects that ``kubectl apply -k`` would send."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from lab.network import ROOT

BASE: Final = ROOT / "deploy" / "base"
TOO_YOUNG: Final = frozenset({"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"})
"""Kinds that came with Kubernetes 1.30, younger than the server the tests may have."""


def read_base(folder: Path = BASE) -> Iterator[dict[str, Any]]:
    """Yield the objects of a base, in the order of its files, but for those too young."""
    for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
        path = folder / name
        if path.is_dir():
            yield from read_base(path)
        else:
            documents = filter(None, yaml.safe_load_all(path.read_text()))
            yield from (item for item in documents if item["kind"] not in TOO_YOUNG)
