import pytest
from jinja2 import UndefinedError

from renderers.template import render_template


def test_a_name_that_was_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render_template("sysctl.conf", {"sysctls": []})
