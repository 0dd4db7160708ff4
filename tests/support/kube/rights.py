"""Turn manifests into the rights that they give, and requests into the rights that they used."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from kube.audit import Entry

Object = dict[str, Any]


@dataclass(frozen=True, kw_only=True, order=True)
class Right:
    """One verb on one resource, as one rule of one role gives it."""

    namespace: str
    """Empty: everywhere, and for what has no namespace."""
    group: str
    resource: str
    """With its subresource, as ``meshnodes/status``."""
    name: str
    """Empty: whatever the object is called."""
    verb: str

    def __str__(self) -> str:
        about = f"{self.resource}/{self.name}" if self.name else self.resource
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {about}{where}"

    def covers(self, other: "Right") -> bool:
        """Whether who has this right has that one, too."""
        return (self.group, self.resource, self.verb) == (
            other.group,
            other.resource,
            other.verb,
        ) and (self.namespace in ("", other.namespace) and self.name in ("", other.name))


def read_rights(objects: Iterable[Object]) -> tuple[Right, ...]:
    """Return every right in the Roles and ClusterRoles among some objects."""
    return tuple(
        Right(
            namespace=found["metadata"].get("namespace", ""),
            group=group,
            resource=resource,
            name=name,
            verb=verb,
        )
        for found in objects
        for rule in found.get("rules") or ()
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
        for verb in rule["verbs"]
    )


def without(objects: Iterable[Object], right: Right) -> list[Object]:
    """Return the objects, with that verb taken out of the rule that gives it."""
    changed = copy.deepcopy(list(objects))
    for found in changed:
        if "rules" not in found or found["metadata"].get("namespace", "") != right.namespace:
            continue
        for rule in found["rules"]:
            if right in read_rights([found | {"rules": [rule]}]):
                rule["verbs"].remove(right.verb)
        # A rule without verbs is refused by the API server.
        found["rules"] = [rule for rule in found["rules"] if rule["verbs"]]
    return changed


def used_rights(entry: Entry) -> tuple[Right, ...]:
    """Return the rights that a request needed.

    To apply what is not there takes ``create`` too, which the server asks for when it comes to that
    (``withAuthorization`` in apiserver's ``endpoints/handlers/create.go``) and does not log.
    """
    path = urlsplit(entry.uri).path.split("/")
    right = Right(
        namespace=entry.namespace,
        group=path[2] if path[1] == "apis" else "",
        resource=entry.resource,
        name=entry.name,
        verb=entry.verb,
    )
    created = entry.verb in {"patch", "update"} and entry.code == 201
    return (right, replace(right, verb="create")) if created else (right,)


def move(objects: Iterable[Object], namespace: str) -> list[Object]:
    """Return the rights, the account and the Secret of some manifests, in another namespace.

    Roles elsewhere get the namespace's name in theirs, so that many can be in one cluster.
    """
    kinds = ("Namespace", "ServiceAccount", "Secret", "ClusterRole", "ClusterRoleBinding")
    moved = [
        found
        for found in copy.deepcopy(list(objects))
        if found["kind"] in (*kinds, "Role", "RoleBinding")
    ]
    [old] = [found["metadata"]["name"] for found in moved if found["kind"] == "Namespace"]
    for found in moved:
        metadata = found["metadata"]
        if found["kind"] == "Namespace":
            metadata["name"] = namespace
        elif metadata.get("namespace") == old:
            metadata["namespace"] = namespace
        for subject in found.get("subjects", ()):
            subject["namespace"] = namespace
        if "rules" in found or "roleRef" in found:
            metadata["name"] += f"-{namespace}"
        if "roleRef" in found:
            found["roleRef"]["name"] += f"-{namespace}"
    return moved
