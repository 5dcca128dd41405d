"""The QGIS plugin: algorithms of the Processing toolbox that run scd in a process of its own.

It lies in a profile of QGIS as the package ``scd_changes``, runs under the Python of QGIS, 3.9 and
later, and imports nothing of scdcli.
"""

from typing import Any


def classFactory(iface: Any) -> Any:  # noqa: ANN401  QGIS gives what only it knows
    """What QGIS asks of a plugin."""
    from scd_changes.provider import Plugin

    return Plugin()
