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
            f" {self.untold} refused without a word)"
        )


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
    heard = Volley(hosts).fire(shots)
    tally.documents += 1
    tally.scenes.update(wrong)
    scene = f"document {seed} ({', '.join(wrong)}; {variant}; {around.forward_policy})"
    ground_truth = Scene(scene, network, hosts, Told())
    for shot in shots:
        _compare(ground_truth, shot, heard.get(shot.token, []), tally)


@dataclass(frozen=True)
class Scene:
    """What a shot is compared within."""

    name: str
    network: Network
    hosts: ShootingRange
    told: Told


def _compare(scene: Scene, shot: Shot, seen: Sequence[Sighting], tally: Tally) -> None:
    story, back = walk_both_ways(scene.network, shot.packet, shot.start)
    if not shot.fired or returns_to_liar(story, shot):
        tally.excluded += 1
        return
    if not _agrees(scene, shot, story, seen, tally):
        return
    tally.agreed[str(predict(story, shot).end)] += 1
    found = find_answer(scene.network, story)
    heard = any(
        each.how is How.DELIVERED and each.datagram.kind is Kind.SHOT and each.where != OUTSIDE
        for each in seen
    )
    answer = answer_of(shot, story, found) if found and heard else None
    if answer is not None and back is not None and _agrees(scene, answer, back, seen, tally):
        tally.answers += 1


def _agrees(scene: Scene, shot: Shot, story: Story, seen: Sequence[Sighting], tally: Tally) -> bool:
    predicted, observed = predict(story, shot), observe(shot, seen, scene.hosts)
    if predicted.end in {End.REFUSED, End.TOO_BIG}:
        silence = replace(predicted, end=End.SILENT)
        if scene.told.may_be_silent(shot, story) and observed == silence:
            tally.untold += 1
            return True
    if agree(predicted, observed, story, scene.hosts):
        return True
    tally.add(
        Disagreement(
            scene=scene.name,
            shot=shot,
            predicted=str(predicted),
            observed=str(observed),
            story=story,
            seen=tuple(seen),
        )
    )
    return False
