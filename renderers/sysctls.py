"""A host's kernel parameters to a file for ``sysctl``."""

from renderers.template import render_template
from schemas.state import HostState


def render(host: HostState) -> dict[str, str]:
    """Write ``sysctl.conf``, for ``sysctl -p``."""
    values = {"host": host, "sysctls": sorted(host.sysctls.items())}
    return {"sysctl.conf": render_template("sysctl.conf", values)}
