import subprocess
import sys

import pytest

from applier.linux import encode

PROGRAM = """
import sys
from applier.linux import encode, host
assert not [name for name in sys.modules if name.startswith("pyroute2")], "imported too early"
payload = encode.link_of(7)
assert "asyncio" not in sys.modules and "ssl" not in sys.modules, "all of pyroute2 was imported"
import pyroute2
import pyroute2.netlink.rtnl.rtmsg
assert pyroute2.IPRoute and pyroute2.netlink.rtnl.rtmsg.rtmsg, "half of pyroute2 was left behind"
encode._classes.cache_clear()
assert encode.link_of(7) == payload
print(payload.hex())
"""


def test_only_the_message_classes_of_pyroute2_are_imported_and_nothing_is_left_half_done() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stderr == ""
    assert done.stdout == "00000000070000000000000000000000\n"


@pytest.mark.parametrize(
    ("attributes", "fields", "named"),
    [([("IFLA_GRUOP", 1)], {}, "IFLA_GRUOP"), ([], {"idnex": 1}, "idnex")],
)
def test_a_misspelt_attribute_is_an_error_and_not_left_out(
    attributes: list[tuple[str, object]], fields: dict[str, int], named: str
) -> None:
    with pytest.raises(ValueError, match=f"^ifinfmsg has no {named}$"):
        encode._encode(encode._classes().link, attributes, **fields)
