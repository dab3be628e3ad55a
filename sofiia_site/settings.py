"""The one settings file. Values come from `environment.py`; nothing here differs between dev and prod but what it says."""

from __future__ import annotations

import sys
from typing import Any

import environ

from sofiia_site import SERVICE as SERVICE
from sofiia_site import VERSION as VERSION
from sofiia_site.environment import BASE_DIR as BASE_DIR
from sofiia_site.environment import read_environment
from sofiia_site.logging import logging_config

ENVIRONMENT = read_environment()

# --- who and where -------------------------------------------------------------------------------------------------
ENV = ENVIRONMENT.env
DEBUG = False  # a stack trace never reaches a client, in dev neither
SECRET_KEY = ENVIRONMENT.secret_key
SECRET_KEY_FALLBACKS = ENVIRONMENT.secret_key_fallbacks
ALLOWED_HOSTS = ENVIRONMENT.allowed_hosts
DATA_DIR = ENVIRONMENT.data_dir
CONFIG_DIR = ENVIRONMENT.config_dir

# --- applications --------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "sofiia_site.admin_apps.SofiiaAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "sofiia_site",
    "core.access",
    "core.audit",
    "events",
    "nodes",
]
if sys.argv[1:2] == [
    "runserver"
]:  # the Channels server; Twisted would cost every other start 300 ms and 28 MiB
    INSTALLED_APPS.insert(0, "daphne")
MIDDLEWARE = [
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "core.problems.ProblemMiddleware",
    "core.access.middleware.SessionCookieMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "core.access.middleware.PrincipalMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "sofiia_site.urls"
ASGI_APPLICATION = "sofiia_site.asgi.application"
APPEND_SLASH = False

# --- pages: Jinja2 for the console (4x on the wall), Django's own engine for the admin ------------------------------
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates" / "ui"],
        "APP_DIRS": False,
        "OPTIONS": {"environment": "sofiia_site.jinja.environment", "autoescape": True},
    },
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates" / "django"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    },
]
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_AUTOREFRESH = ENVIRONMENT.is_dev  # files may change under a running dev console
WHITENOISE_MAX_AGE = 0  # revalidated by date: an upgrade never mixes old and new modules

# --- data ----------------------------------------------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES: dict[str, dict[str, Any]] = {
    "default": environ.Env.db_url_config(ENVIRONMENT.database_url)
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: with deferred transactions 245 of 300 concurrent read-then-write transactions failed at once, with
    # IMMEDIATE none did. WAL lets readers go on beside the one writer.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;",
    }
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}
else:
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        pool={"min_size": 1, "max_size": 20, "timeout": 3},
        options="-c statement_timeout=30000 -c lock_timeout=10000",
    )
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": (
        {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [ENVIRONMENT.redis_url], "prefix": "sofiia"},
        }
        if ENVIRONMENT.redis_url
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    )
}

# --- access --------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "access.User"
PASSWORD_HASHERS = [
    "core.access.hashers.TunedArgon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/ui/login"
LOGIN_REDIRECT_URL = "/ui/"
SESSION_COOKIE_NAME = "sofiia_session"
CSRF_COOKIE_NAME = "sofiia_csrf"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# The session carries over TLS only where TLS is a given; a dev console on loopback speaks plain HTTP.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not ENVIRONMENT.is_dev
SECURE_PROXY_SSL_HEADER = ("HTTP_X_SOFIIA_SCHEME", "https")  # written by the edge only
CSRF_TRUSTED_ORIGINS = [
    origin for origin in ENVIRONMENT.cors_origins if origin.startswith(("http://", "https://"))
]
CSRF_FAILURE_VIEW = "core.problems.csrf_failure"
SILENCED_SYSTEM_CHECKS = [
    "security.W001",  # the edge writes the security headers, on errors and static files too
    "security.W002",  # so does X-Frame-Options
    "security.W004",  # Strict-Transport-Security comes from the edge where the scheme is https
    "security.W020",  # an empty ALLOWED_HOSTS is sofiia.E001 already
    "security.W008",  # the redirect to https belongs to the front server
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

# --- language, time, logs ------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
LOGGING = logging_config(ENVIRONMENT.log_format)
