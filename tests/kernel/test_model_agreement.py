"""The packet model of ``review`` says of every packet what real kernels do with it.

Meshes, damages and packets are drawn from a seed. ``WORMHOLE_SHOTS=20000`` draws so many packets,
``WORMHOLE_SEED=anything`` others; ``-s`` shows the tally. Each disagreement names the document that
it is from: ``WORMHOLE_DOCUMENT=seed/number`` fires at that one alone.
``WORMHOLE_REPORT=FILE`` gets each disagreement as it is found.
"""

import os
from collections.abc import Iterator
from typing import Final

import pytest
from lab.campaign import VOLLEY, Tally, run_campaign, run_document
from lab.network import Lab
from lab.shootingrange import ShootingRange

pytestmark = pytest.mark.kernel

SHOTS: Final = int(os.environ.get("WORMHOLE_SHOTS", "1500"))
SEED: Final = os.environ.get("WORMHOLE_SEED", "reality")
DOCUMENT: Final = os.environ.get("WORMHOLE_DOCUMENT", "")
REPORT: Final = os.environ.get("WORMHOLE_REPORT", "")
NAMES: Final = ("node-a", "node-b", "node-c")


@pytest.fixture(scope="module")
def hosts(laboratory: type[Lab]) -> Iterator[ShootingRange]:
    with laboratory() as lab, ShootingRange(lab, NAMES) as hosts:
        yield hosts


@pytest.mark.timeout(120 + SHOTS)
def test_every_packet_ends_where_the_model_says(hosts: ShootingRange) -> None:
    tally = Tally(follow=REPORT)
    if DOCUMENT:
        run_document(hosts, DOCUMENT, tally)
    else:
        run_campaign(hosts, SEED, max(1, SHOTS // VOLLEY), tally)

    # Whoever runs it for long wants to know what it was that agreed.
    print(f"\n{tally}\n{dict(tally.scenes.most_common())}")  # noqa: T201 - as said
    shown = "\n\n".join(map(str, tally.disagreements[:10]))
    assert not tally.disagreements, f"{tally}\n\n{shown}"
    assert tally.refused == []
    assert tally.agreed.total() > 0
