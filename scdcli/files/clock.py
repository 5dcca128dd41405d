"""The time that outputs bear."""

import os
from datetime import UTC, datetime

from scdcli.errors import OutputError


def timestamp() -> datetime:
    """The time written into outputs: ``SOURCE_DATE_EPOCH`` if set, for equal bytes, else now.

    Raises:
        OutputError: ``SOURCE_DATE_EPOCH`` is not a number of seconds.
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if seconds is None:
        return datetime.now(UTC).replace(microsecond=0)
    if not seconds.isdecimal():
        raise OutputError(
            f"SOURCE_DATE_EPOCH is {seconds!r}; set it to whole seconds since 1970, or unset it."
        )
    return datetime.fromtimestamp(int(seconds), UTC)
