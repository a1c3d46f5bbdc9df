"""The name of the program, and the loggers that every module writes to."""

from __future__ import annotations

import logging

NAME = "target-engagevoice"
"""The name of the executable, of the package on an index, and of the logger."""

logger = logging.getLogger(NAME)

auth_logger = logger.getChild("auth")
"""For the sign-in."""
