"""What a connection is for; the rules of the allowlist are given per purpose."""

from enum import StrEnum


class Purpose(StrEnum):
    """Who asks for the connection. `witness` is a third place that tells our own trouble from a node's."""

    PROBE = "probe"
    PROXY = "proxy"
    CHAT = "chat"
    VOICE = "voice"
    MEMORY = "memory"
    AISTALK = "aistalk"
    NOTIFY = "notify"
    WEBHOOK = "webhook"
    WITNESS = "witness"
    STATUS = "status"
