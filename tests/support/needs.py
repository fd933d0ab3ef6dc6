"""Marks of tests that need a program."""

from __future__ import annotations

import shutil

import pytest

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node.js with npm")
