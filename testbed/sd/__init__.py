# SPDX-License-Identifier: Apache-2.0
"""A systemd of its own, in a container on this machine's kernel."""
from .container import Container, unusable

__all__ = ["Container", "unusable"]
