"""Turn a host of the laboratory into what a document says, by the real applier, right or wrong.

``wormhole apply`` would refuse documents that contradict themselves; this asks nobody.
"""

import sys
from typing import Final

from lab.network import LabHost

from schemas.document import dump
from schemas.state import ResolvedHost

_APPLY: Final = """
import argparse
import sys
from applier.converge import converge
from schemas.document import load_resolved
from wormhole import thishost
from wormhole.options import add_host_folders
parser = argparse.ArgumentParser()
add_host_folders(parser)
paths = thishost.paths_from(parser.parse_args([]))
resolved = load_resolved(sys.stdin.buffer.read(), "resolved")
with thishost.open_host(paths) as (host, vault), thishost.hold_lock(paths):
    outcome = converge(host, resolved, vault=vault, paths=paths, allow_mass_delete=True)
left = [f"{change.action} {change.kind} {change.key}" for change in outcome.left.changes]
failed = [str(failure) for failure in outcome.failures]
if left or failed:
    sys.exit(f"left {left}, failed {failed}")
"""


def converge_to(host: LabHost, resolved: ResolvedHost) -> None:
    """Converge a host.

    Raises:
        LabError: it did not get there; the message says what is left.

    """
    host.run(sys.executable, "-c", _APPLY, stdin=dump(resolved).decode(), timeout=60)
