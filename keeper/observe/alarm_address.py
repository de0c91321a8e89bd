"""Whether an address is one that alarms can go to. Asks nobody: only its form is looked at."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

OWN_SECRETS: Final = (ip_network("169.254.0.0/16"), ip_network("fe80::/10"), ip_network("fd00:ec2::/32"))
"""Where machines in a cloud are given their keys: link-local addresses, and one cloud's own."""
OWN_SECRETS_BY_NAME: Final = ("metadata", "metadata.google.internal", "instance-data", "metadata.azure.internal")


def is_understood(url: str) -> bool:
    """Return whether Apprise knows what to do with an address; says nothing anywhere, for it may carry a secret.

    An address where a machine keeps its own secrets is no alarm service, however it is spelled.
    """
    import apprise  # noqa: PLC0415 - a fifth of a second that only users of alarms pay

    with silenced():
        try:
            service = apprise.Apprise.instantiate(url.strip())
            return service is not None and not keeps_secrets(_host(service))
        except Exception:  # noqa: BLE001 - a hundred plugins read it, each in its own way; none may end the program
            return False


def keeps_secrets(host: str) -> bool:
    """Return whether a host, by name or by number, is where a machine keeps its own secrets. Asks nobody."""
    name = host.removeprefix("[").partition("]")[0].partition("%")[0].rstrip(".").lower()
    if name in OWN_SECRETS_BY_NAME:
        return True
    at = _ip(name)
    return at is not None and any(at in network for network in OWN_SECRETS)


def _host(service: Any) -> str:
    """Return the host that an alarm service is at, where its address names one: other services are where they are."""
    return str(service.host or "") if "host" in service.template_tokens else ""


def _ip(name: str) -> IPv4Address | IPv6Address | None:
    """Return an address of numbers, as resolvers read it: in fewer parts, in octal and hexadecimal too."""
    with contextlib.suppress(ValueError):
        at = ip_address(name)
        return (at.ipv4_mapped or at) if isinstance(at, IPv6Address) else at
    with contextlib.suppress(OSError, UnicodeError):
        return IPv4Address(socket.inet_aton(name))
    return None


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Let Apprise write nothing to the terminal meanwhile."""
    logger = logging.getLogger("apprise")
    was, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was
