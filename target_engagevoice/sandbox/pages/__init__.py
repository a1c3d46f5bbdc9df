"""The sandbox's page: what is loaded, and what was asked, to be looked at in a browser on this machine.

`site.py` puts it into the sandbox's application; the other files each read one kind of thing from a snapshot of
the store for one template. It is no part of the API: it changes nothing, and is in no journal and under no limit.
"""

from __future__ import annotations

from target_engagevoice.sandbox.pages.site import add_pages

__all__ = ["add_pages"]
