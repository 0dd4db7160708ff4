"""The YAML in the documentation is what a cluster takes."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from kustomizing import kustomize, why_not
from pages import PAGES, ROOT, blocks

from schemas.validate import violations

DOCUMENTS: list[tuple[str, dict[str, Any]]] = [
    (page, document)
    for page in PAGES
    for block in blocks(page, "yaml")
    for document in yaml.safe_load_all(block)
]
KUSTOMIZATIONS = [each for each in DOCUMENTS if each[1]["kind"] == "Kustomization"]
OURS = [each for each in DOCUMENTS if each[1]["kind"] in ("Mesh", "MeshNode")]


def test_there_is_something_to_check() -> None:
    assert (len(OURS) >= 4, len(KUSTOMIZATIONS) >= 3) == (True, True)
    assert len(OURS) + len(KUSTOMIZATIONS) == len(DOCUMENTS)


@pytest.mark.parametrize(("page", "document"), OURS)
def test_an_object_of_ours_is_valid(page: str, document: dict[str, Any]) -> None:
    assert [*violations(document, document["kind"].lower())] == [], page


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder beside a checkout, as the examples have it."""
    shutil.copytree(ROOT / "deploy", tmp_path / "wormhole/deploy")
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


def build(site: Path, document: dict[str, Any]) -> dict[str, Any]:
    """Return the DaemonSet's pod that a kustomization comes to."""
    (site / "kustomization.yaml").write_text(yaml.safe_dump(document))
    [found] = [each for each in kustomize(site) if each["kind"] == "DaemonSet"]
    return dict(found["spec"]["template"]["spec"])


@pytest.mark.skipif(why_not() != "", reason=why_not())
@pytest.mark.parametrize(("page", "document"), KUSTOMIZATIONS)
def test_a_kustomization_changes_what_it_says(
    page: str, document: dict[str, Any], site: Path
) -> None:
    pod = build(site, document)
    plain = build(site, {**document, "patches": [], "images": []})
    assert pod != plain, page


@pytest.mark.skipif(why_not() != "", reason=why_not())
def test_on_k3s_only_the_folders_differ(site: Path) -> None:
    [document] = [each for _, each in KUSTOMIZATIONS if "k3s" in str(each)]
    pod = build(site, document)
    plain = build(site, {**document, "patches": []})
    changed = {
        volume["name"]: volume["hostPath"]["path"]
        for volume, before in zip(pod["volumes"], plain["volumes"], strict=True)
        if volume != before
    }
    assert changed == {
        "cni-conf": "/var/lib/rancher/k3s/agent/etc/cni/net.d",
        "cni-bin": "/var/lib/rancher/k3s/data/cni",
    }
    assert {**pod, "volumes": plain["volumes"]} == plain
