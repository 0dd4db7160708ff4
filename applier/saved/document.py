"""The saved plan, as a value."""

from collections.abc import Mapping

from applier.plan import Observed, Plan
from schemas.state import API_VERSION, ApiVersion, ResolvedHost, Value
from schemas.values import PublicKey


class Identity(Value, frozen=True, kw_only=True, omit_defaults=False):
    """Which host, and which of its lives."""

    public_key: PublicKey
    machine: str
    """16 hex digits that stand for ``/etc/machine-id``; empty when the host has none."""
    boot: str
    """The kernel's random id since its start."""


class SavedPlan(
    Value, frozen=True, kw_only=True, omit_defaults=False, tag_field="kind", tag="SavedPlan"
):
    """A plan, and all that it was made from; ``schemas/saved-plan.schema.json`` describes it.

    Nothing in it depends on the clock: it is good as long as the host is as it was found.
    """

    api_version: ApiVersion = API_VERSION

    version: str
    """Of the wormhole that made it."""
    host: Identity
    allow_mass_delete: bool
    """Whether it may remove more than a fifth of what is ours: who approves it approves that."""
    last_applied: str
    """The digest of what was applied last, by which causes were judged; empty when unknown."""
    desired: ResolvedHost
    plan: Plan
    found: Mapping[str, Observed]
    """By kind, what every live key held. A key that is not here was not there."""
    seal: str
    """What only the host that made the plan can compute of all the rest."""
