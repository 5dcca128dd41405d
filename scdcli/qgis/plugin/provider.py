"""The plugin and its provider of Processing algorithms."""

from __future__ import annotations

from pathlib import Path

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsApplication, QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon
from scd_changes.algorithms import PROGRAM, Check, Predict, Report

ICON = Path(__file__).with_name("icon.svg")


class Plugin:
    """What QGIS loads and unloads."""

    def __init__(self) -> None:
        """Nothing yet: QGIS calls `initGui`, its programs without windows `initProcessing`."""
        self.provider = None

    def initProcessing(self) -> None:
        """Add the algorithms."""
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Add the algorithms."""
        self.initProcessing()

    def unload(self) -> None:
        """Take them away."""
        QgsApplication.processingRegistry().removeProvider(self.provider)


class Provider(QgsProcessingProvider):
    """The algorithms of scd."""

    def id(self) -> str:
        """The first part of the names of its algorithms."""
        return "scd"

    def name(self) -> str:
        """What the toolbox shows."""
        return "scd"

    def longName(self) -> str:
        """What the settings show."""
        return "scd: semantic change detection"

    def icon(self) -> QIcon:
        """Two squares, of which one covers the other."""
        return QIcon(str(ICON))

    def load(self) -> bool:
        """Add the setting of where the program lies, and the algorithms."""
        ProcessingConfig.addSetting(
            Setting(
                self.name(),
                PROGRAM,
                "Program scd (empty: found by itself)",
                "",
                valuetype=Setting.FILE,
            )
        )
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self) -> None:
        """Take the setting away."""
        ProcessingConfig.removeSetting(PROGRAM)

    def loadAlgorithms(self) -> None:
        """Add the algorithms."""
        for algorithm in (Predict, Check, Report):
            self.addAlgorithm(algorithm())
