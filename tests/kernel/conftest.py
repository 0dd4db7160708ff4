"""What the tests on real kernels share: the laboratory, or the reason why there is none here."""

import pytest
from lab.network import Lab
from lab.requirements import missing


@pytest.fixture(scope="session")
def laboratory() -> type[Lab]:
    """Return the way into a laboratory; skip, with all reasons at once, where there is none."""
    reasons = missing()
    if reasons:
        pytest.skip(f"no hosts in namespaces here: {'; '.join(reasons)}")
    return Lab
