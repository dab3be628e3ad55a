"""Password hashing that costs about 100 ms of one core, so that a login storm cannot take the machine."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class TunedArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB and three passes (OWASP's floor is 19 MiB and two)."""

    time_cost = 3
    memory_cost = 19 * 1024
    parallelism = 1
