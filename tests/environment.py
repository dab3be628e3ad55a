"""Loaded before Django's settings: the suite has a data directory of its own and no variables of the machine."""

import os
import tempfile

_OURS = ("ENV", "PORT", "BIND_HOST", "SECRET_KEY", "SOFIIA_CONSOLE_API_KEY", "ALLOWED_HOSTS", "CORS_ORIGINS", "REDIS_URL",
         "CONFIG_DIR", "NODE_ID", "ROUTER_NODE_ID", "ALERT_BACKEND", "AUDIT_BACKEND", "LOG_FORMAT", "BUILD_ID")  # fmt: skip
for _name in [name for name in os.environ if name in _OURS or name.startswith("NODES_")]:
    del os.environ[_name]
os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="sofiia-tests-")
os.mkdir(os.path.join(os.environ["DATA_DIR"], "static"))
