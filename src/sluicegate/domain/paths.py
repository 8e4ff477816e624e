"""First segments of the paths that are the gateway's own, so that no provider's name may hide them.

`/<provider>/<rest>` leads to a provider; everything that begins like this does not.
"""

LOCAL_PATHS = frozenset({"/health", "/healthz", "/livez", "/readyz"})
"""Whole paths that a worker answers by itself."""

CONTROL_SEGMENTS = frozenset(
    {"", "admin", "manage", "metrics", "stats", "docs", "openapi.json", "ui", "static", "favicon.ico"}
)
"""First segments of what the control process serves; the empty one is `/` itself."""

CONTROL_PATHS = ("/v1/key", "/v1/models")
"""Paths among those of provider APIs that the control process serves, with all below them."""

API_SEGMENTS = frozenset({"v1", "v1beta"})
"""First segments of provider APIs, whose provider the model or the dialect decides."""

_KEPT_SEGMENTS = frozenset({"api", "auth", "login", "logout", "redoc", "robots.txt", "v1alpha", "v1beta1", "v2"})
"""Not served today: names that mean something elsewhere, and would be a breaking change to take away later."""

RESERVED_SEGMENTS = (
    frozenset(path[1:] for path in LOCAL_PATHS) | (CONTROL_SEGMENTS - {""}) | API_SEGMENTS | _KEPT_SEGMENTS
)
"""First segments that no provider may have for a name."""
