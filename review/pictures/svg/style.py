"""The look of our SVGs: one sheet, for light and for dark, that knows no class outside of them.

Plain rules, no variables: converters such as librsvg know classes, but neither ``var()`` nor
media queries, and then show the light scheme.
"""

from typing import Final, NamedTuple


class Scheme(NamedTuple):
    """The colours of one scheme. All text has a contrast of 4.5 or more on paper and card."""

    paper: str
    card: str
    ink: str
    muted: str
    edge: str
    line: str
    tile: str
    joins: str
    leaves: str
    changes: str
    never: str


LIGHT: Final = Scheme(
    paper="#ffffff",
    card="#f5f7fa",
    ink="#16202e",
    muted="#566377",
    edge="#b9c3d0",
    line="#8d9bb0",
    tile="#c9d6ea",
    joins="#16703a",
    leaves="#b3261e",
    changes="#8a5300",
    never="#a13a6b",
)
DARK: Final = Scheme(
    paper="#10161f",
    card="#1a222e",
    ink="#e7ecf3",
    muted="#a3b1c4",
    edge="#3c4a5e",
    line="#6c7c93",
    tile="#34486a",
    joins="#4fc97a",
    leaves="#ff8a80",
    changes="#e6b450",
    never="#e79ac0",
)

_FONTS: Final = """\
.wh text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;\
font-size:12px;fill:currentColor}
.wh .head{font-size:19px;font-weight:650}
.wh .name{font-size:13px;font-weight:650}
.wh .group{font-size:13px;font-weight:600}
.wh .mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;\
font-size:11px}
.wh .sign{font-size:14px;font-weight:700}
.wh .link{fill:none;stroke-width:1.3}
.wh .first{stroke-dasharray:6 4}
.wh .never{stroke-width:1.6;stroke-dasharray:1.5 4;stroke-linecap:round}
.wh .onesided{stroke-width:1.6;stroke-dasharray:9 3 2 3}
.wh .joins.link,.wh .changes.link{stroke-width:2.4}
.wh .leaves.link{stroke-width:2.2;stroke-dasharray:3 5}
.wh .box{stroke-width:1}
.wh .silent{stroke-dasharray:5 3}
.wh .box.joins,.wh .box.changes{stroke-width:2.2}
.wh .box.leaves{stroke-width:2.2;stroke-dasharray:3 4}
"""

_SCHEME: Final = """\
.wh{{color:{ink}}}
.wh .paper{{fill:{paper}}}
.wh text.muted{{fill:{muted}}}
.wh .box{{fill:{card};stroke:{edge}}}
.wh .silent{{stroke:{muted}}}
.wh .tile{{fill:{tile};stroke:none}}
.wh .tile.silent{{fill:{paper};stroke:{muted}}}
.wh .link{{stroke:{line}}}
.wh .tip{{fill:{line}}}
.wh .link.never,.wh .link.onesided{{stroke:{never}}}
.wh .tip.onesided,.wh text.fault{{fill:{never}}}
.wh .dot{{fill:{paper};stroke:none}}
.wh .link.joins,.wh .box.joins{{stroke:{joins}}}
.wh .link.leaves,.wh .box.leaves{{stroke:{leaves}}}
.wh .link.changes,.wh .box.changes{{stroke:{changes}}}
.wh .tip.joins,.wh text.joins{{fill:{joins}}}
.wh .tip.leaves,.wh text.leaves{{fill:{leaves}}}
.wh .tip.changes,.wh text.changes{{fill:{changes}}}
"""


def write_style() -> str:
    """Return the whole sheet. Paper is light: the dark scheme is for screens."""
    light, dark = (_SCHEME.format(**scheme._asdict()) for scheme in (LIGHT, DARK))
    return f"{_FONTS}{light}@media screen and (prefers-color-scheme:dark){{\n{dark}}}\n"
