"""The API's objects to one look at pre-shared keys: what is there, what is used, who holds what."""

from typing import Any, Final

from schemas.problems import Problems
from schemas.state import Value
from wormhole.cluster.api import MESH_NODES, MESHES, NODES, Api, Object
from wormhole.cluster.errors import ApiError
from wormhole.cluster.listing import list_objects
from wormhole.psk.epochs import decode_master, is_epoch
from wormhole.psk.store import Entries, read_rotation, read_secret

_GITOPS: Final = {
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
}
"""Labels and annotations by which GitOps controllers mark what they keep as git has it."""


class Report(Value, frozen=True, kw_only=True):
    """What one node's agent says about pre-shared keys, in its MeshNode's status."""

    node: str
    in_use: str = ""
    held: tuple[str, ...] = ()
    trouble: str = ""
    """Why it may not answer, such as ``not Ready: HostError``; empty when all is well."""


class Survey(Value, frozen=True, kw_only=True):
    """One look at the cluster."""

    mesh: str
    version: str
    """The Mesh's ``resourceVersion``."""
    epoch: str
    """What the Mesh says is to be used; empty: no pre-shared keys."""
    gitops: str
    """Who keeps the Mesh as git has it; empty: nobody that is known."""
    entries: tuple[str, ...]
    """Epochs that the Secret has a master of, sorted."""
    damaged: tuple[str, ...]
    """Entries of the Secret that are no masters, sorted."""
    rotating_to: str
    """The epoch of a rotation that has not ended; empty when there is none."""
    reports: tuple[Report, ...]
    """One for each MeshNode, by name."""

    def list_strangers(self, target: str) -> tuple[str, ...]:
        """Return the entries that nothing accounts for before the Mesh uses ``target``.

        Neither the Mesh, nor a rotation, nor a node that was left behind by one.
        """
        if target == self.epoch:
            return ()
        known = {self.epoch, self.rotating_to, target, *(each.in_use for each in self.reports)}
        return tuple(epoch for epoch in self.entries if epoch not in known)


def look(api: Api, namespace: str) -> Survey:
    """Look at everything once.

    Raises:
        Problems: the cluster has no Mesh, or several.
        ApiError: no answer, a refusal, or the Secret is missing.

    """
    mesh = _find_mesh(api)
    secret = read_secret(api, namespace)
    entries = Entries(secret)
    good = {epoch for epoch, value in entries.items() if is_epoch(epoch) and decode_master(value)}
    reports = map(_read_report, list_objects(api, MESH_NODES))
    return Survey(
        mesh=mesh["metadata"]["name"],
        version=mesh["metadata"]["resourceVersion"],
        epoch=mesh.get("spec", {}).get("presharedKeyEpoch") or "",
        gitops=_find_gitops(mesh["metadata"]),
        entries=tuple(sorted(good)),
        damaged=tuple(sorted({*entries} - good)),
        rotating_to=read_rotation(secret),
        reports=tuple(sorted(reports, key=lambda report: report.node)),
    )


def list_unpublished(api: Api, survey: Survey) -> tuple[str, ...]:
    """Return the Nodes that a look saw no MeshNode of, sorted.

    Either no agent is on them, or it is about to publish a MeshNode that somebody deleted.

    Raises:
        ApiError: no answer, or a refusal.

    """
    names = {str(node["metadata"]["name"]) for node in list_objects(api, NODES)}
    return tuple(sorted(names - {report.node for report in survey.reports}))


def explain_silence(api: Api, report: Report) -> str:
    """Return what is known about why a node does not get on; empty when nothing is."""
    try:
        node = api.get(f"{NODES}/{report.node}")
    except ApiError as error:
        return "its Node is gone" if error.missing else report.trouble
    ready = _find_condition(node, "Ready")
    return report.trouble if ready.get("status") == "True" else "its Node is not Ready"


def _find_mesh(api: Api) -> Object:
    found = list_objects(api, MESHES)
    if len(found) == 1:
        return found[0]
    if not found:
        raise Problems.one("the cluster has no Mesh: apply one first")
    names = ", ".join(mesh["metadata"]["name"] for mesh in found)
    raise Problems.one(f"the cluster has {len(found)} Meshes ({names}), and a cluster has one")


def _read_report(meshnode: Object) -> Report:
    status = meshnode.get("status") or {}
    return Report(
        node=meshnode["metadata"]["name"],
        in_use=status.get("presharedKeyEpoch") or "",
        held=tuple(status.get("heldPresharedKeyEpochs") or ()),
        trouble=_find_trouble(meshnode),
    )


def _find_trouble(meshnode: Object) -> str:
    if not meshnode.get("status"):
        return "its agent has never reported"
    ready = _find_condition(meshnode, "Ready")
    if ready.get("status") == "True":
        return ""
    reason = ready.get("reason")
    return f"not Ready: {reason}" if reason else "not Ready"


def _find_condition(document: Object, kind: str) -> dict[str, Any]:
    conditions = (document.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), {})


def _find_gitops(metadata: dict[str, Any]) -> str:
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    return next((name for mark, name in _GITOPS.items() if mark in marks), "")
