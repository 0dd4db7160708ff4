"""Turn the API server's audit log into the requests that it answered."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        # What the server asks of itself, and what asks whether it is up, is nobody's request.
        {"level": "None", "users": ["system:apiserver"]},
        {"level": "None", "nonResourceURLs": ["/readyz*", "/healthz*", "/livez*"]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One request, as the server logged it."""

    id: str
    time: str
    """When it was received, RFC 3339."""
    user: str
    user_agent: str
    verb: str
    """Kubernetes' word: ``get``, ``list``, ``watch``, ``create``, ``update``, ``patch``, …."""
    uri: str
    """Path and query."""
    resource: str
    """Such as ``meshnodes``, or ``meshnodes/status``; empty when it is about none."""
    namespace: str
    name: str
    code: int
    """The HTTP status answered."""
    done: bool
    """False: a watch that still runs."""

    @property
    def writes(self) -> bool:
        """Whether the request could have changed something."""
        return self.verb not in {"get", "list", "watch"}

    def __str__(self) -> str:
        return f"{self.user} {self.verb} {self.uri} -> {self.code}"


def parse_log(lines: Iterable[str]) -> tuple[Entry, ...]:
    """Return one entry for each request, in the order of their first lines."""
    entries: dict[str, Entry] = {}
    for line in lines:
        if line.endswith("}\n"):  # else the server is still writing it
            entry = _parse_entry(json.loads(line))
            entries[entry.id] = entry
    return tuple(entries.values())


def _parse_entry(event: dict[str, Any]) -> Entry:
    about = event.get("objectRef", {})
    parts = (about.get("resource"), about.get("subresource"))
    return Entry(
        id=event["auditID"],
        time=event["requestReceivedTimestamp"],
        user=event["user"].get("username", ""),
        user_agent=event.get("userAgent", ""),
        verb=event["verb"],
        uri=event["requestURI"],
        resource="/".join(part for part in parts if part),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        done=event["stage"] != "ResponseStarted",
    )
