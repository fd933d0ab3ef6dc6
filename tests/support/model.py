"""The model behind a lab's data plane, for tests of what only the model has."""

from __future__ import annotations

from erfailover.lab.engine.lab import Lab
from erfailover.lab.machines.model_plane import ModelPlane


def get_model(lab: Lab) -> ModelPlane:
    """The lab's data plane, which must be the model."""
    assert isinstance(lab.plane, ModelPlane)
    return lab.plane
