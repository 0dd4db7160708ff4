"""Turn a seed into documents, packets, and whether model and kernel agree about each of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final

from lab.breakages import break_something
from lab.datagrams import Kind
from lab.draws import Aim, Ground, draw_inventory, draw_pods, draw_surroundings
from lab.ears import How, Sighting
from lab.edits import damage
from lab.firing import Volley
from lab.judge import End, Told, agree, answer_of, observe, predict, returns_to_liar
from lab.namespace import LabError
from lab.shootingrange import OUTSIDE, PODS, ShootingRange
from lab.shots import Shot
from msgspec import structs

from compiler.compile import compile_mesh
from review.model.network import Network, build_network
from review.model.story import Story
from review.model.walk import find_answer, walk_both_ways
from schemas.state import IptablesVariant

VOLLEY: Final = 150
"""Shots that are drawn for each document."""


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One packet about which model and kernel differ, with all that is known of it."""

    scene: str
    shot: Shot
    predicted: str
    observed: str
    story: Story
    seen: tuple[Sighting, ...]

    def __str__(self) -> str:
        start, packet = self.shot.start, self.shot.packet
        origin = start.entry.value + (f" {start.peer}" if start.peer else "")
        lines = [
            f"{self.scene}: {self.shot.kind} {self.shot.token} from {start.host} ({origin})",
            f"  {packet}, errno {self.shot.error}",
            f"  model:  {self.predicted} ({self.story.fate})",
            *(f"    {step.host} {step.stage}: {step.decision}" for step in self.story.steps),
            f"  kernel: {self.observed}",
            *(f"    {each}" for each in self.seen),
        ]
        return "\n".join(lines)


@dataclass(kw_only=True)
class Tally:
    """What came of a campaign."""

    follow: str = ""
    """A file that every disagreement is added to at once; empty: none."""
    documents: int = 0
    scenes: Counter[str] = field(default_factory=Counter)
    """Documents by what was wrong with them."""
    agreed: Counter[str] = field(default_factory=Counter)
    """Packets by how they ended, where model and kernel say the same."""
    answers: int = 0
    """Answers that ended as the model says."""
    untold: int = 0
    """Of the packets that were refused or too big, those of which nobody was told."""
    late: int = 0
    """Packets that agreed only when they were fired again."""
    excluded: int = 0
    """Lies that were never told, for want of a tunnel; and those that come back to the liar, whose
    device is not as documented while it lies."""
    refused: list[str] = field(default_factory=list)
    """Documents that the applier could not put in place."""
    disagreements: list[Disagreement] = field(default_factory=list)

    def add(self, found: Disagreement) -> None:
        """Add a disagreement."""
        self.disagreements.append(found)
        if self.follow:
            with Path(self.follow).open("a", encoding="utf-8") as file:
                file.write(f"{found}\n\n")

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {end}" for end, count in self.agreed.most_common())
        return (
            f"{self.documents} documents, {self.agreed.total()} packets and {self.answers} answers"
            f" agree, {len(self.disagreements)} do not, {self.excluded} left out ({ends};"
            f" {self.untold} refused without a word, {self.late} at the second try)"
        )


@dataclass(frozen=True)
class Scene:
    """What a shot is compared within."""

    name: str
    network: Network
    hosts: ShootingRange
    told: Told


def run_campaign(hosts: ShootingRange, seed: str, documents: int, tally: Tally) -> None:
    """Draw so many documents, put each in place, fire a volley, and compare."""
    for number in range(documents):
        run_document(hosts, f"{seed}/{number}", tally)


def run_document(hosts: ShootingRange, seed: str, tally: Tally) -> None:
    """Put the document of a seed in place, fire at it, and compare.

    One in three is as compiled, one is damaged, and one is broken by hand once it is in place.
    """
    rng = Random(seed)
    number = int(seed.rpartition("/")[2])
    variant = (IptablesVariant.NFT, IptablesVariant.LEGACY)[number % 2]
    inventory = draw_inventory(rng, hosts, variant)
    documents = compile_mesh(inventory)
    wrong: tuple[str, ...] = ("as compiled",)
    pods = {name: draw_pods(rng, host, PODS) for name, host in documents.hosts.items()}
    if number % 3 == 1:
        documents, wrong = damage(rng, documents)
    try:
        hosts.converge(documents)
    except LabError as error:
        tally.refused.append(f"document {seed} ({', '.join(wrong)}): {str(error)[-2000:]}")
        return
    around = draw_surroundings(rng)
    hosts.surround(around, variant)
    hosts.plug_all(documents, pods)
    network = build_network(documents, around)
    if number % 3 == 2:
        broken, network = break_something(rng, hosts, documents, network)
        wrong = (broken,)
    hosts.warm_up(documents)
    ground = Ground(documents=documents, overlay=inventory.mesh.overlay_cidrs, pods=pods)
    aim = Aim(rng, ground, hosts)
    drawn = (aim.draw(token) for token in range(1, VOLLEY + 1))
    shots = [shot for shot in drawn if shot is not None]
    tally.documents += 1
    tally.scenes.update(wrong)
    name = f"document {seed} ({', '.join(wrong)}; {variant}; {around.forward_policy})"
    _fire_and_compare(Scene(name, network, hosts, Told()), shots, tally)


def _fire_and_compare(scene: Scene, shots: Sequence[Shot], tally: Tally) -> None:
    """Fire a volley and compare; what differs is fired once more, with patience.

    On a busy machine a packet can come too late. A kernel that does otherwise than the model does
    so again.
    """
    heard = Volley(scene.hosts).fire(shots)
    doubtful = [shot for shot in shots if _compare(scene, shot, heard.get(shot.token, []), tally)]
    if not doubtful:
        return
    again = [_renew(shot) for shot in doubtful]
    heard = Volley(scene.hosts, patience=5).fire(again)
    for shot in again:
        if found := _compare(scene, shot, heard.get(shot.token, []), tally):
            tally.add(found)
        else:
            tally.late += 1


def _renew(shot: Shot) -> Shot:
    """Return the same shot as a connection of its own."""
    packet = structs.replace(shot.packet, source_port=shot.packet.source_port + 2 * VOLLEY)
    return replace(shot, token=shot.token + 2 * VOLLEY, packet=packet, error=0, fired=True)


def _compare(
    scene: Scene, shot: Shot, seen: Sequence[Sighting], tally: Tally
) -> Disagreement | None:
    """Compare a shot and its answer; count them where they agree."""
    story, back = walk_both_ways(scene.network, shot.packet, shot.start)
    if not shot.fired or returns_to_liar(story, shot):
        tally.excluded += 1
        return None
    if found := _find_disagreement(scene, shot, story, seen, tally):
        return found
    asked = find_answer(scene.network, story)
    heard = any(
        each.how is How.DELIVERED and each.datagram.kind is Kind.SHOT and each.where != OUTSIDE
        for each in seen
    )
    answer = answer_of(shot, story, asked) if asked and heard else None
    if answer is not None and back is not None:
        if found := _find_disagreement(scene, answer, back, seen, tally):
            return found
        tally.answers += 1
    tally.agreed[str(predict(story, shot).end)] += 1
    return None


def _find_disagreement(
    scene: Scene, shot: Shot, story: Story, seen: Sequence[Sighting], tally: Tally
) -> Disagreement | None:
    predicted, observed = predict(story, shot), observe(shot, seen, scene.hosts)
    if predicted.end in {End.REFUSED, End.TOO_BIG}:
        silence = replace(predicted, end=End.SILENT)
        if scene.told.may_be_silent(shot, story) and observed == silence:
            tally.untold += 1
            return None
    if agree(predicted, observed, story, scene.hosts):
        return None
    return Disagreement(
        scene=scene.name,
        shot=shot,
        predicted=str(predicted),
        observed=str(observed),
        story=story,
        seen=tuple(seen),
    )
