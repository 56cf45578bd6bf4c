"""Files and folders of the database."""

from __future__ import annotations

import pytest

from salesbot_pipelines.errors import StateUnavailable
from salesbot_pipelines.state import files


def test_a_folder_without_room_is_told(tmp_path):
    files.require_room(tmp_path)
    with pytest.raises(StateUnavailable, match="bytes are free"):
        files.require_room(tmp_path, least=1 << 62)
