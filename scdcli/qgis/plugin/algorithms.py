"""The algorithms: commands of scd with dialogs, progress, and styled layers at the end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingOutputHtml,
    QgsProcessingOutputRasterLayer,
    QgsProcessingOutputString,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorLayer,
    QgsProviderRegistry,
    QgsVectorLayer,
)
from scd_changes.program import ProgramError, find_command, run

PROGRAM = "SCD_PROGRAM"
"""Name of the setting of where the program lies."""

CANCELED = (
    "Canceled. Parts that were done are kept; run it again with the same parameters and 'Go on "
    "with an interrupted run'."
)

Parameters = dict[str, Any]


class Algorithm(QgsProcessingAlgorithm):
    """A command of scd."""

    command = ""
    title = ""
    about = ""

    def name(self) -> str:
        """The last part of its name."""
        return self.command

    def displayName(self) -> str:
        """What the toolbox shows."""
        return self.title

    def shortHelpString(self) -> str:
        """What the dialog says beside the parameters."""
        return self.about

    def createInstance(self) -> QgsProcessingAlgorithm:
        """A new one."""
        return type(self)()

    def add(
        self, parameter: QgsProcessingParameterDefinition, about: str, *, advanced: bool = False
    ) -> None:
        """Add a parameter with its help."""
        parameter.setHelp(about)
        if advanced:
            advanced_flag = QgsProcessingParameterDefinition.FlagAdvanced
            parameter.setFlags(parameter.flags() | advanced_flag)
        self.addParameter(parameter)

    def start(self, words: list[str], feedback: QgsProcessingFeedback) -> str | None:
        """Run the command; None where the user canceled it.

        Raises:
            QgsProcessingException: It failed; the sentence is that of scd.
        """
        try:
            program = find_command(ProcessingConfig.getSetting(PROGRAM) or "")
            return run(
                [*program, self.command, *words],
                say=feedback.pushInfo,
                progress=feedback.setProgress,
                canceled=feedback.isCanceled,
            )
        except ProgramError as error:
            raise QgsProcessingException(str(error)) from error

    def image(self, name: str, parameters: Parameters, context: QgsProcessingContext) -> str:
        """The file of a raster layer.

        Raises:
            QgsProcessingException: The layer is none, or no file.
        """
        layer = self.parameterAsRasterLayer(parameters, name, context)
        if layer is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, name))
        if layer.dataProvider().name() != "gdal":
            raise QgsProcessingException(f"{layer.name()} is no file that scd can read.")
        return str(layer.source().split("|")[0])

    def images(self, *, model: bool) -> None:
        """Add the parameters of two images."""
        self.add(
            QgsProcessingParameterRasterLayer("BEFORE", "Earlier image"),
            "The image of the earlier date, whose grid the maps lie on.",
        )
        self.add(
            QgsProcessingParameterRasterLayer("AFTER", "Later image"),
            "The image of the later date; it is brought onto the grid of the earlier one.",
        )
        self.add(
            QgsProcessingParameterString(
                "MODEL", "Model", "urban" if model else None, optional=not model
            ),
            "A model that comes along (urban, second) or the name of a model file.",
        )


class Predict(Algorithm):
    """``scd predict``."""

    command = "predict"
    title = "Map changes between two images"
    about = (
        "Maps what changed on the ground between two images of one place, from which land cover to "
        "which: polygons, rasters, tables and a page to look at, in one folder.\n\n"
        "Canceling keeps what is done; run it again with 'Go on with an interrupted run'."
    )

    def initAlgorithm(self, configuration: Parameters | None = None) -> None:
        """Add parameters and outputs."""
        self.images(model=True)
        self.add(
            QgsProcessingParameterVectorLayer(
                "AOI", "Area of interest", [QgsProcessing.TypeVectorPolygon], optional=True
            ),
            "Map only inside these polygons.",
        )
        self.add(
            QgsProcessingParameterVectorLayer(
                "ZONES", "Zones", [QgsProcessing.TypeVectorPolygon], optional=True
            ),
            "Polygons such as districts: report and zones.csv then give the areas in each, too.",
        )
        self.add(
            QgsProcessingParameterField(
                "ZONE_NAMES", "Field with the names of zones", None, "ZONES", optional=True
            ),
            "If empty the field 'name', or the first of texts that differ.",
        )
        number = QgsProcessingParameterNumber
        self.add(
            number("THRESHOLD", "Threshold", number.Double, None, True, 0, 1),
            "Probability from which a pixel counts as changed; that of the model if empty.",
        )
        self.add(
            number("MMU", "Minimum mapping unit (m²)", number.Double, None, True, 0),
            "Smaller changes are left out, smaller gaps filled; 16 pixels if empty, 0 keeps all. "
            "In pixels where the images have no CRS.",
        )
        self.add(
            QgsProcessingParameterBoolean(
                "COREGISTER", "Move the later image over the earlier", False
            ),
            "Where positions in the files are off by some pixels.",
        )
        self.add(
            QgsProcessingParameterBoolean(
                "LAND_COVER", "Also map the land cover of both dates", False
            ),
            "The class of every pixel, also where nothing changed.",
        )
        self.add(
            QgsProcessingParameterBoolean("RESUME", "Go on with an interrupted run", False),
            "Takes up what a canceled run with the same images and settings has left.",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterBoolean("OVERWRITE", "Replace an earlier result", False),
            "Only a folder that scd made is replaced.",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterString("OPTIONS", "More options of scd predict", optional=True),
            "As on the command line, such as --bands 3,2,1 --normalize match.",
            advanced=True,
        )
        self.add(
            QgsProcessingParameterFolderDestination("OUTPUT", "Folder of the result"),
            "A new folder.",
        )
        self.addOutput(QgsProcessingOutputVectorLayer("CHANGES", "Changes"))
        self.addOutput(QgsProcessingOutputRasterLayer("TRANSITION", "Transition"))
        self.addOutput(QgsProcessingOutputRasterLayer("PROBABILITY", "Probability of change"))
        self.addOutput(QgsProcessingOutputHtml("REPORT", "Report"))

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Parameters:
        """Run it, and hand its layers over."""
        folder = Path(self.parameterAsString(parameters, "OUTPUT", context))
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()  # QGIS makes temporary folders itself
        words = [
            self.image("BEFORE", parameters, context),
            self.image("AFTER", parameters, context),
            *("--output", str(folder)),
            *("--model", self.parameterAsString(parameters, "MODEL", context)),
            *self._optional(parameters, context),
        ]
        if self.start(words, feedback) is None:
            feedback.pushInfo(CANCELED)
            return {}
        files = {
            "PROBABILITY": ("probability of change (%)", folder / "probability.tif"),
            "TRANSITION": ("transition", folder / "transition.tif"),
            "CHANGES": ("changes", folder / "changes.gpkg"),
        }
        found = {name: each for name, each in files.items() if each[1].is_file()}
        for name, (label, path) in found.items():
            _show(context, name, label, path)
        page = folder / "report.html"
        results = {name: str(path) for name, (_, path) in found.items()}
        return {
            "OUTPUT": str(folder),
            **results,
            **({"REPORT": str(page)} if page.is_file() else {}),
        }

    def _optional(self, parameters: Parameters, context: QgsProcessingContext) -> list[str]:
        words = shlex.split(self.parameterAsString(parameters, "OPTIONS", context) or "")
        for name in ("THRESHOLD", "MMU"):
            if parameters.get(name) is not None:
                number = self.parameterAsDouble(parameters, name, context)
                words += [f"--{name.lower()}", f"{number:.10f}"]
        for name in ("COREGISTER", "LAND_COVER", "RESUME", "OVERWRITE"):
            if self.parameterAsBool(parameters, name, context):
                words.append(f"--{name.lower().replace('_', '-')}")
        for name in ("AOI", "ZONES"):
            polygons = self.parameterAsVectorLayer(parameters, name, context)
            if polygons is not None:
                words += [f"--{name.lower()}", _file_of(polygons)]
        for field in self.parameterAsFields(parameters, "ZONE_NAMES", context):
            words += ["--zone-names", field]
        return words


class Check(Algorithm):
    """``scd check``."""

    command = "check"
    title = "Check whether two images can be compared"
    about = (
        "Says whether changes between two images can be mapped, and what may go wrong: grids, "
        "overlap, bands, values, brightness, shift. Reads samples only."
    )

    def initAlgorithm(self, configuration: Parameters | None = None) -> None:
        """Add parameters and outputs."""
        self.images(model=False)
        self.addOutput(QgsProcessingOutputString("VERDICT", "Verdict"))

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Parameters:
        """Run it, and show what it says."""
        words = [self.image(name, parameters, context) for name in ("BEFORE", "AFTER")]
        model = self.parameterAsString(parameters, "MODEL", context)
        said = self.start(words + (["--model", model] if model else []), feedback)
        lines = (said or "").splitlines()
        for line in lines:
            feedback.pushConsoleInfo(line)
        verdict = next((line for line in reversed(lines) if line.startswith("Verdict:")), "")
        return {"VERDICT": verdict.removeprefix("Verdict: ")}


class Report(Algorithm):
    """``scd report``."""

    command = "report"
    title = "Make the page of a result again"
    about = "Makes report.html, a page to look at, from the folder of a result and its two images."

    def initAlgorithm(self, configuration: Parameters | None = None) -> None:
        """Add parameters and outputs."""
        self.add(
            QgsProcessingParameterFile(
                "FOLDER", "Folder of a result", QgsProcessingParameterFile.Folder
            ),
            "A folder that 'Map changes between two images' has made.",
        )
        self.add(
            QgsProcessingParameterFileDestination("OUTPUT", "Page", "Pages (*.html)"),
            "One file that any browser opens.",
        )

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Parameters:
        """Run it."""
        page = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        folder = self.parameterAsString(parameters, "FOLDER", context)
        done = self.start([folder, "--output", page, "--overwrite"], feedback)
        return {} if done is None else {"OUTPUT": page}


class Style(QgsProcessingLayerPostProcessorInterface):
    """Gives a layer its style, which Processing does not look for."""

    kept: list[Style] = []  # noqa: RUF012  QGIS keeps no reference

    def __init__(self, style: Path) -> None:
        """Of a ``.qml``; where there is none, the style is in the data."""
        super().__init__()
        self.style = style
        self.kept.append(self)

    def postProcessLayer(self, layer: Any, *_: object) -> None:  # noqa: ANN401
        """What QGIS calls once the layer is there."""
        if self.style.is_file():
            layer.loadNamedStyle(str(self.style))
        else:
            layer.loadDefaultStyle()
        layer.triggerRepaint()


def _file_of(layer: QgsVectorLayer) -> str:
    """The file of a layer of polygons and its layer there, as options of scd name them."""
    parts = QgsProviderRegistry.instance().decodeUri(layer.providerType(), layer.source())
    name = parts.get("layerName")
    return f"{parts['path']}:{name}" if name else str(parts["path"])


def _show(context: QgsProcessingContext, name: str, label: str, path: Path) -> None:
    """Have a file loaded as a styled layer once the algorithm is done."""
    details = QgsProcessingContext.LayerDetails(label, context.project(), name)
    details.forceName = True  # or files outside the folder for temporary ones name their layers
    details.setPostProcessor(Style(path.with_suffix(".qml")))
    context.addLayerToLoadOnCompletion(str(path), details)
