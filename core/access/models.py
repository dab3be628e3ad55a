"""People, API keys, one-time logins and the counters of the throttle."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import ASCIIUsernameValidator
from django.db import models
from django.utils import timezone


class Role(models.TextChoices):
    """What a person may do; each role includes the one before it."""

    VIEWER = "viewer", "Viewer: reads"
    OPERATOR = "operator", "Operator: reads, runs tasks, acknowledges, chats"
    ADMIN = "admin", "Admin: everything"


class UserManager(BaseUserManager["User"]):
    """Makes users; a password of None cannot log in."""

    def create_user(
        self, username: str, password: str | None = None, role: str = Role.VIEWER, **extra: Any
    ) -> User:
        user = self.model(username=username, role=role, **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, password: str | None = None, **extra: Any) -> User:
        """`manage.py createsuperuser`: the role admin."""
        return self.create_user(username, password, role=Role.ADMIN, **extra)


class User(AbstractBaseUser):
    """A person. The role decides everything; there are no groups and no single permissions."""

    username = models.CharField(max_length=64, unique=True, validators=[ASCIIUsernameValidator()])
    email = models.EmailField(blank=True)
    role = models.CharField(max_length=16, choices=Role, default=Role.VIEWER)
    is_active = models.BooleanField("active", default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    @property
    def is_staff(self) -> bool:
        """May open `/admin/`."""
        return self.role == Role.ADMIN

    @property
    def is_superuser(self) -> bool:
        return self.role == Role.ADMIN

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Django admin's question; only the role counts."""
        return self.is_active and self.role == Role.ADMIN

    def has_perms(self, perm_list: Any, obj: Any = None) -> bool:
        return self.is_active and self.role == Role.ADMIN

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.role == Role.ADMIN


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, now: datetime) -> ApiKeyQuerySet:
        """Keys that are neither revoked nor expired at `now`."""
        return self.filter(revoked_at=None).filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=now)
        )


class ApiKey(models.Model):
    """A program's key. Only an HMAC of the secret is kept; the key itself is shown once, when it is made."""

    key_id = models.CharField(max_length=16, unique=True, editable=False)
    name = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, editable=False)
    pepper = models.PositiveIntegerField(default=0, editable=False)
    scopes = models.JSONField(default=list)
    created_by = models.CharField(max_length=96, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.key_id})"


class OneTimeLogin(models.Model):
    """A link with which the first admin is made, once. Only a digest of the token is kept; `user` is who came of it."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"until {self.expires_at:%Y-%m-%d %H:%M}"


class Throttle(models.Model):
    """Failures counted against one bucket (an address, or a user name at an address) in one window."""

    bucket = models.CharField(max_length=160, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    window_ends_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.bucket}: {self.failures}"
