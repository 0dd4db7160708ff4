"""Each folder that can be applied names all of its files, and says the same to kubectl."""

import json
import shutil
from pathlib import Path

import pytest
from kustomizing import kustomize, why_not
from manifests import DEPLOY, Object, build, one, patch, read, read_kustomization

FOLDERS = ["base", "gitops", "admission", "alerts"]
COMPONENTS = sorted(path.name for path in (DEPLOY / "components").iterdir())
ALONE = {"mesh.example.yaml", "inventory-reader.yaml"}
"""What is applied by itself, by who needs it."""


def key(document: Object) -> tuple[str, str, str]:
    return (
        document["kind"],
        document["metadata"].get("namespace", ""),
        document["metadata"]["name"],
    )


def named_in(folder: Path) -> set[Path]:
    """Follow a kustomization to every file that it, or one that it names, stands on."""
    said = read_kustomization(folder)
    named = {folder / "kustomization.yaml"}
    for name in (*said.get("resources", ()), *said.get("components", ())):
        path = (folder / name).resolve()
        named |= named_in(path) if path.is_dir() else {path}
    return named | {folder / change["path"] for change in said.get("patches", ())}


def test_every_manifest_is_named_by_a_kustomization() -> None:
    folders = [*FOLDERS, *(f"components/{name}" for name in COMPONENTS)]
    named = set().union(*(named_in(DEPLOY / folder) for folder in folders))
    there = {path for path in DEPLOY.rglob("*.yaml") if path.name not in ALONE}
    assert named == there


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_object_is_there_twice(folder: str) -> None:
    keys = [key(found) for found in build(folder)]
    assert len(keys) == len({*keys}) > 0


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_object_says_whose_it_is(folder: str) -> None:
    unnamed = [
        key(found)
        for found in build(folder)
        if found["kind"] != "CustomResourceDefinition"
        and found["metadata"].get("labels", {}).get("app.kubernetes.io/name") != "wormhole"
    ]
    assert unnamed == []


@pytest.mark.parametrize("components", [(), *((name,) for name in COMPONENTS), (*COMPONENTS,)])
@pytest.mark.parametrize("folder", ["base", "gitops"])
def test_every_component_goes_with_both_ways_to_install(
    folder: str, components: tuple[str, ...]
) -> None:
    plain = one(build(folder), "DaemonSet", "wormhole-agent")
    changed = one(build(folder, *components), "DaemonSet", "wormhole-agent")
    assert (changed != plain) == bool(components)


BY_PLACE = [
    path
    for path in sorted(DEPLOY.rglob("daemonset.patch.yaml"))
    if any("/containers/0/" in each["path"] for each in read(path)[0])
]


@pytest.mark.parametrize("path", BY_PLACE, ids=lambda path: path.parent.name)
def test_a_patch_stops_when_the_agent_is_not_where_it_looks(path: Path) -> None:
    moved = one(build("base"), "DaemonSet", "wormhole-agent")
    containers = moved["spec"]["template"]["spec"]["containers"]
    containers.insert(0, containers[0] | {"name": "another"})
    [operations] = read(path)
    with pytest.raises(ValueError, match=r"/containers/0/name: 'another' is not 'agent'$"):
        patch(moved, operations, {"kind": "DaemonSet", "name": "wormhole-agent"})


@pytest.mark.skipif(why_not() != "", reason=why_not())
@pytest.mark.parametrize(
    ("folder", "components"),
    [("base", ()), ("gitops", ()), ("admission", ()), ("base", COMPONENTS), ("gitops", COMPONENTS)],
)
def test_kustomize_builds_what_the_tests_build(
    folder: str, components: tuple[str, ...], tmp_path: Path
) -> None:
    copied = tmp_path / "deploy"
    shutil.copytree(DEPLOY, copied)
    whole = copied / "whole"
    whole.mkdir()
    said = {
        "resources": [f"../{folder}"],
        "components": [f"../components/{name}" for name in components],
    }
    (whole / "kustomization.yaml").write_text(json.dumps(said))
    assert sorted(kustomize(whole), key=key) == sorted(build(folder, *components), key=key)
