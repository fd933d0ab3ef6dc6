"""How much longer than usual tests of real daemons wait, for example where a machine is emulated.

``ERFAILOVER_TEST_PATIENCE`` multiplies their limits.
"""

from __future__ import annotations

import os

PATIENCE = float(os.environ.get("ERFAILOVER_TEST_PATIENCE", "1"))
