import pytest

from renderers import cni
from schemas.state import ResolvedHost


def test_a_configuration_is_sorted_and_indented() -> None:
    expected = """\
{
  "cniVersion": "1.0.0",
  "plugins": [
    {
      "mtu": 1440,
      "type": "bridge"
    }
  ]
}
"""
    config: dict[str, object] = {
        "plugins": [{"type": "bridge", "mtu": 1440}],
        "cniVersion": "1.0.0",
    }
    assert expected == cni.write(config)


def test_what_is_written_reads_back(resolved: ResolvedHost) -> None:
    config = resolved.host.cni.config
    assert config == cni.read(cni.write(config))
    assert {"10-wormhole.conflist": cni.write(config)} == cni.render(resolved.host)


@pytest.mark.parametrize("text", ["", "[]", "{", '"text"', b"\xff"])
def test_what_is_no_configuration_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which words is msgspec's affair
        cni.read(text)
