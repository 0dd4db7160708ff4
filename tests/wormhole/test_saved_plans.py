"""plan --out, show, apply FILE: on a host in memory."""

import pytest
from commandline import Wormhole

from applier.fake import FakeHost

pytestmark = pytest.mark.usefixtures("state")
ON_A = ("state", "--host", "node-a")


def test_a_saved_plan_is_applied_and_a_second_time_there_is_nothing_to_do(
    wormhole: Wormhole, host: FakeHost
) -> None:
    code, planned, err = wormhole("plan", *ON_A, "--out", "p.json")
    assert (code, err) == (1, "saved to p.json: wormhole apply p.json\n")
    code, out, err = wormhole("apply", "p.json")
    assert (code, err, out.startswith(planned)) == (0, "", True)
    assert wormhole("plan", *ON_A)[0] == 0
    host.faults.writes.clear()
    code, out, err = wormhole("apply", "p.json")
    assert (code, err) == (0, "")
    assert out.startswith("No changes: node-a matches its desired state sha256:")
    assert host.faults.writes == []
