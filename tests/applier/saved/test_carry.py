"""What comes of applying a saved plan on the host that it was made for."""

import pytest
from damage import DAMAGE, change_link
from savedplans import VERSION, apply_content, facts_of, keys_of, reboot_only, refuse, save
from scenes import BRIDGE, Scene, build_inventory, converged, dump_all, dump_foreign, resolve_host
from scenes import route as foreign_route

from applier.errors import HostError
from applier.memory import load_applied
from applier.outcome import Outcome, Result
from applier.plan import Plan
from applier.saved.carry import Opened, apply_saved
from applier.saved.make import draft
from applier.saved.text import read_saved, write_saved
from applier.situation import Situation

JOINED = build_inventory(("node-a", "node-b", "node-c", "node-d", "node-e"))
ALONE = build_inventory(("node-a",), epoch=None)


def test_exactly_what_was_planned_is_done_verified_and_remembered() -> None:
    scene = Scene()
    untouched = dump_foreign(scene.host)
    planned = scene.plan()
    outcome = apply_content(scene, save(scene))
    assert outcome.result is Result.CONVERGED
    assert outcome.done == planned.changes
    assert load_applied(scene.host, scene.paths) == scene.resolved
    assert scene.plan().changes == ()
    assert dump_foreign(scene.host) == untouched


def test_it_is_what_an_apply_of_the_state_would_have_done() -> None:
    one, other = converged(), converged()
    for scene in (one, other):
        DAMAGE["strange peer"](scene)
        DAMAGE["mtu"](scene)
        scene.resolved = resolve_host(JOINED)
    apply_content(one, save(one))
    other.converge()
    assert dump_all(one.host) == dump_all(other.host)


def test_a_second_time_the_host_matches_and_nothing_is_done() -> None:
    scene = Scene()
    content = save(scene)
    apply_content(scene, content)
    scene.writes()
    again = apply_content(scene, content)
    assert (again.result, again.plan.changes) == (Result.CONVERGED, ())
    assert scene.writes() == []


def test_a_host_that_matches_is_left_alone_also_after_a_boot() -> None:
    scene = Scene()
    content = save(scene)
    scene.converge()
    reboot_only(scene)
    scene.writes()
    assert apply_content(scene, content).done == ()
    assert scene.writes() == []


def test_an_empty_plan_does_nothing_and_lets_nothing_be_done() -> None:
    scene = converged()
    content = save(scene)
    assert apply_content(scene, content).plan.changes == ()
    change_link(scene, BRIDGE, mtu=9000)
    assert keys_of(refuse(scene, content)) == [f"link {BRIDGE}"]


def test_once_undone_by_hand_it_may_be_done_only_by_a_new_plan() -> None:
    scene = converged()
    change_link(scene, BRIDGE, mtu=9000)
    scene.resolved = resolve_host(JOINED)
    content = save(scene)
    assert apply_content(scene, content).result is Result.CONVERGED
    change_link(scene, BRIDGE, mtu=9000)
    reasons = refuse(scene, content)
    assert (facts_of(reasons), keys_of(reasons)) == (["memory"], ["peer node-e"])


def test_what_foreign_objects_forbid_stays_forbidden_and_the_rest_is_done() -> None:
    scene = Scene()
    scene.host.network.add_route(foreign_route("10.244.9.0/24"))
    content = save(scene)
    outcome = apply_content(scene, content)
    assert (outcome.result, len(outcome.left.conflicts)) == (Result.CONFLICT, 1)
    assert len(outcome.done) == len(outcome.plan.changes) - 1
    again = apply_content(scene, content)
    assert (again.result, again.done) == (Result.CONFLICT, ())


def test_a_conflict_that_nobody_approved_is_a_reason_though_all_else_is_as_desired() -> None:
    scene = Scene()
    content = save(scene)
    apply_content(scene, content)
    scene.host.network.add_route(foreign_route("10.244.9.0/24"))
    reasons = refuse(scene, content)
    assert "route 10.244.9.0/24 metric 100" in keys_of(reasons)


def test_a_failure_is_put_back() -> None:
    scene = converged()
    change_link(scene, BRIDGE, mtu=9000)
    scene.resolved = resolve_host(JOINED)
    content = save(scene)
    before = dump_all(scene.host)
    scene.host.faults.fail("set_link", 1, HostError("set link", BRIDGE, "Invalid argument", 22))
    outcome = apply_content(scene, content)
    assert (outcome.result, len(outcome.failures)) == (Result.REVERTED, 1)
    left = [line for line in dump_all(scene.host).splitlines() if line not in before.splitlines()]
    assert [line for line in left if not line.startswith("file /var/lib/wormhole")] == []
    assert apply_content(scene, content).result is Result.CONVERGED


def test_a_plan_that_removes_too_much_is_not_even_drafted_for_saving() -> None:
    scene = many()
    drafted = draft(
        scene.host, scene.resolved, vault=scene.vault, paths=scene.paths, version=VERSION
    )
    assert drafted.refused == "the plan removes 19 of 53 objects, which is more than a fifth"


def test_what_nobody_allowed_is_not_done_by_whoever_saved_it_all_the_same() -> None:
    scene = many()
    drafted = draft(
        scene.host, scene.resolved, vault=scene.vault, paths=scene.paths, version=VERSION
    )
    outcome = apply_content(scene, write_saved(drafted.saved, scene.vault))
    assert (outcome.refused, outcome.done) == (drafted.refused, ())


def many() -> Scene:
    """Return a host whose mesh is about to lose all others."""
    names = ("node-a", *(f"node-{number}" for number in range(19)))
    scene = converged(Scene(resolve_host(build_inventory(names, epoch=None))))
    scene.resolved = resolve_host(ALONE)
    return scene


def test_who_approves_a_plan_with_the_permission_approves_that() -> None:
    scene = many()
    content = save(scene, allow_mass_delete=True)
    outcome = apply_content(scene, content)
    assert (outcome.result, outcome.refused) == (Result.CONVERGED, "")


class Watcher:
    """A trial that only notes when it began."""

    def __init__(self) -> None:
        self.began: list[Situation] = []

    def begin(self, before: Situation) -> None:
        self.began.append(before)


def test_a_trial_begins_before_the_first_write_and_memory_waits_for_its_end() -> None:
    scene = Scene()
    content = save(scene)
    opened = Opened(saved=read_saved(content, "p.json", VERSION), content=content, version=VERSION)
    trial = Watcher()
    outcome = apply_saved(scene.host, opened, vault=scene.vault, paths=scene.paths, trial=trial)
    assert (outcome.result, len(trial.began)) == (Result.CONVERGED, 1)
    assert load_applied(scene.host, scene.paths) is None


def test_what_is_about_to_be_done_is_announced_and_may_be_stopped() -> None:
    scene = Scene()
    content = save(scene)
    opened = Opened(saved=read_saved(content, "p.json", VERSION), content=content, version=VERSION)

    def stop(plan: Plan) -> None:
        raise KeyboardInterrupt(len(plan.changes))

    scene.writes()
    with pytest.raises(KeyboardInterrupt):
        apply_saved(scene.host, opened, vault=scene.vault, paths=scene.paths, announce=stop)
    assert scene.writes() == []
    assert isinstance(scene.converge(), Outcome)
