"""The one door out: every byte that the console sends on its own account passes here.

`urls` parses strictly, `guard` judges addresses by `config/network_allowlist.yml`, `engine` speaks HTTP/1.1 over checked
addresses, `client` puts httpx' API on top of it.
"""

from core.outbound.purpose import Purpose

__all__ = ["Purpose"]
