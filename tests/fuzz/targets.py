"""All targets, by name."""

from __future__ import annotations

from fuzz import (
    codec_targets,
    copy_targets,
    extension_targets,
    message_targets,
    own_type_targets,
    session_targets,
    text_targets,
)
from fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (
        session_targets,
        copy_targets,
        codec_targets,
        extension_targets,
        message_targets,
        own_type_targets,
        text_targets,
    )
    for target in module.TARGETS
}
