"""Looks for secrets in what was printed or kept, encoded text included."""

from __future__ import annotations

import base64
import re


def decode_base64_words(*texts: str) -> str:
    """Whatever in some texts is base64 of text, decoded."""
    actual = ""
    for text in texts:
        for word in re.findall(r"[A-Za-z0-9+/=_-]{16,}", text):
            for decode in (base64.b64decode, base64.urlsafe_b64decode):
                try:
                    actual += decode(word + "=" * (-len(word) % 4)).decode("utf-8", "ignore")
                except ValueError:
                    continue
    return actual
