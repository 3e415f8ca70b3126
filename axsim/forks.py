"""Forks and other threads: what a child must not inherit half done.

A forked child has only the thread that forked. A lock that another thread held stays held in it for ever,
those of Python's import system among them. So axsim computes without locks (``axsim.once``), loads what it
needs with the package, and holds forks off for the short time of what cannot do without: ``with unforked:``.
"""

from __future__ import annotations

import os
import threading

unforked = threading.RLock()
"""While a thread holds it, no other thread forks: ``os.fork`` waits."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=unforked.acquire, after_in_parent=unforked.release, after_in_child=unforked.release
    )
