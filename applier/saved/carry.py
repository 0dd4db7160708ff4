"""A saved plan to a converged host, by exactly its operations, or to none and the reasons."""

from collections.abc import Iterator

from applier.converge import Trial, converge_from
from applier.host import Host
from applier.outcome import Announce, Outcome, Progress, announce_nothing, be_silent
from applier.paths import Paths
from applier.plan import Plan
from applier.saved.document import Identity, SavedPlan
from applier.saved.identity import identify
from applier.saved.make import digest_memory
from applier.saved.stale import (
    Aspect,
    Fact,
    Stale,
    Staleness,
    compare_live,
    compare_plans,
    says_same,
)
from applier.saved.text import has_seal
from applier.situation import Situation, look
from applier.transition import make_plan
from applier.vault import Vault
from schemas.state import Value


class Opened(Value, frozen=True, kw_only=True):
    """A saved plan, and the file that it was read from."""

    saved: SavedPlan
    content: bytes
    version: str
    """Of the wormhole that reads it."""


def apply_saved(  # noqa: PLR0913 - all but two go by name
    host: Host,
    opened: Opened,
    *,
    vault: Vault,
    paths: Paths,
    announce: Announce = announce_nothing,
    progress: Progress = be_silent,
    trial: Trial | None = None,
) -> Outcome:
    """Carry out a saved plan if all that it was made from is as it was; verify, revert on failure.

    The caller holds the host's lock. A host that already is as the plan would make it is left
    alone, whatever became of it meanwhile: the same job run twice ends well twice.

    Raises:
        Stale: something differs; nothing was written.
        Problems, Unobservable, Unsupported: as :func:`applier.converge.converge`.

    """
    saved = opened.saved
    refuse_stranger(host, opened, vault, paths)
    before = look(host, saved.desired, vault, paths)
    now = make_plan(before, saved.plan.host, saved.plan.digest)
    done = all(change in saved.plan.conflicts for change in now.changes)
    if not done and (reasons := _find_reasons(host, saved, before, now, paths)):
        raise Stale(saved.plan, reasons)
    return converge_from(
        host,
        saved.desired,
        before,
        paths=paths,
        allow_mass_delete=saved.allow_mass_delete,
        announce=announce,
        progress=progress,
        trial=trial,
    )


def refuse_stranger(host: Host, opened: Opened, vault: Vault, paths: Paths) -> None:
    """Refuse a plan that is of another host, of another wormhole, or not as this host wrote it.

    Raises:
        Stale: so it is. There is no point in looking further.

    """
    saved = opened.saved
    here = identify(host, paths)
    facts = [*_compare_hosts(saved.host, here)]
    if saved.version != opened.version:
        facts.append(Fact(aspect=Aspect.VERSION, planned=saved.version, now=opened.version))
    # Another key makes other seals, so that there is nothing to learn from this one then.
    if saved.host.public_key == here.public_key and not has_seal(opened.content, vault):
        facts = [Fact(aspect=Aspect.SEAL, planned="", now="")]
    if facts:
        raise Stale(saved.plan, Staleness(facts=tuple(facts)))


def _compare_hosts(planned: Identity, here: Identity) -> Iterator[Fact]:
    if planned.public_key != here.public_key:
        yield Fact(aspect=Aspect.KEY, planned=planned.public_key, now=here.public_key)
    if planned.machine != here.machine:
        yield Fact(aspect=Aspect.MACHINE, planned=planned.machine, now=here.machine)


def _find_reasons(
    host: Host, saved: SavedPlan, before: Situation, now: Plan, paths: Paths
) -> Staleness:
    """Return all that is not as it was when the plan was made."""
    boot, memory = identify(host, paths).boot, digest_memory(host, paths)
    facts = (
        Fact(aspect=Aspect.BOOT, planned=saved.host.boot, now=boot),
        Fact(aspect=Aspect.MEMORY, planned=saved.last_applied, now=memory),
    )
    objects = compare_live(saved.found, before.observed)
    moved = {(one.kind, one.key) for one in objects}
    others = compare_plans(saved.plan, now)
    return Staleness(
        facts=tuple(fact for fact in facts if fact.planned != fact.now),
        objects=objects,
        changes=tuple(one for one in others if (one.kind, one.key) not in moved),
        reordered=not others and not says_same(saved.plan, now),
    )
