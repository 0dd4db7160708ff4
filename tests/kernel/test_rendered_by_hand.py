"""What `render` writes, loaded with the native tools on a bare host, is what `apply` makes."""

from pathlib import Path

import pytest
from lab.mesh import Mesh
from lab.network import Lab
from lab.probes import ping

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("variant", ["nft", "legacy"])
def test_a_host_loaded_by_hand_has_nothing_left_to_plan(
    laboratory: type[Lab], tmp_path: Path, variant: str
) -> None:
    mesh = Mesh(tmp_path, iptablesVariant=variant)
    with laboratory() as lab:
        by_hand, by_apply = lab.add_host("node-a"), lab.add_host("node-b")
        mesh.join(by_hand, ["10.244.0.0/24", "fd00:244::/64"])
        mesh.join(by_apply, ["10.244.1.0/24", "fd00:244:0:1::/64"])
        mesh.compile(by_hand)
        mesh.apply(by_apply)

        by_hand.wormhole(
            *("render", str(mesh.state), "--host", "node-a", "-o", str(tmp_path)), expect=0
        )
        by_hand.sh(f"""
            cd {tmp_path}/node-a
            wireguard-go wormhole-wg0 >/dev/null 2>&1
            wg set wormhole-wg0 private-key /var/lib/wormhole/private.key
            ip -force -batch ip.batch
            wg addconf wormhole-wg0 wormhole-wg0.conf
            iptables-{variant}-restore --noflush iptables.rules
            ip6tables-{variant}-restore --noflush ip6tables.rules
            sysctl -qp sysctl.conf
            install -Dt /run/wormhole/cni -m 644 10-wormhole.conflist
            ln -s /run/wormhole/cni/10-wormhole.conflist /etc/cni/net.d/
        """)

        outcome = mesh.plan(by_hand)
        assert outcome.code == 0, outcome
        assert ping(by_hand, "10.244.1.1")
        assert ping(by_hand, "fd00:244:0:1::1")
