"""One host and its desired state to a saved plan."""

from applier.converge import find_replaced, judge_deletions
from applier.host import Host
from applier.memory import load_applied
from applier.paths import Paths
from applier.saved.document import SavedPlan
from applier.saved.identity import identify
from applier.saved.lasting import keep_lasting
from applier.situation import Situation, look
from applier.transition import make_plan
from applier.vault import Vault
from schemas.document import digest
from schemas.state import ResolvedHost, Value


class Drafted(Value, frozen=True, kw_only=True):
    """A plan that could be saved, and what speaks against it."""

    saved: SavedPlan
    refused: str = ""
    """Why nobody could apply it: it removes too much at once, and that was not allowed."""


def draft(  # noqa: PLR0913 - all but two go by name
    host: Host,
    resolved: ResolvedHost,
    *,
    vault: Vault,
    paths: Paths,
    version: str,
    allow_mass_delete: bool = False,
) -> Drafted:
    """Return a saved plan, not sealed yet; ``version`` is of whose program asks. Writes nothing.

    Raises:
        Problems, Unobservable, Unsupported: as :func:`applier.converge.plan`.

    """
    identity = identify(host, paths)
    situation = look(host, resolved, vault, paths)
    saved = SavedPlan(
        version=version,
        host=identity,
        allow_mass_delete=allow_mass_delete,
        last_applied=digest_memory(host, paths),
        desired=resolved,
        plan=make_plan(situation, resolved.host.name, digest(resolved)),
        found=keep_lasting(situation.observed),
        seal="",
    )
    refused = "" if allow_mass_delete else _refuse(host, resolved, situation, paths)
    return Drafted(saved=saved, refused=refused)


def digest_memory(host: Host, paths: Paths) -> str:
    """Return the digest of what was applied last; empty when nobody remembers."""
    applied = load_applied(host, paths)
    return digest(applied) if applied else ""


def _refuse(host: Host, resolved: ResolvedHost, situation: Situation, paths: Paths) -> str:
    """Judge as an apply would: the old keys of nodes that have new ones are no loss."""
    if not judge_deletions(situation):
        return ""
    return judge_deletions(situation, find_replaced(load_applied(host, paths), resolved))
