"""What a screen shows of a plot that is painted bit by bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QImage, QPaintEvent, QRegion
from PySide6.QtWidgets import QApplication

from freeze_gui.gui.curves import LayerPlot
from freeze_gui.gui.loss_plot import LossPlot

Plot = LayerPlot | LossPlot


def draw(plot: Plot) -> None:
    plot.refresh()
    for _ in range(6):
        QApplication.processEvents()


class Screen(QObject):
    """A picture of a plot with so many pixels a point, brought up to date where the plot is painted and only there.

    Attributes
    ----------
    widths
        Of what was painted.
    """

    def __init__(self, plot: Plot, ratio: int) -> None:
        super().__init__(plot)
        self.widths: list[int] = []
        self._view, self._regions = plot.viewport(), [QRegion(plot.viewport().rect())]
        self._image = QImage(plot.size() * ratio, QImage.Format.Format_RGB32)
        self._image.setDevicePixelRatio(ratio)
        self._view.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self._regions.append(QRegion(event.region()))
            self.widths.append(event.region().boundingRect().width())
        return False

    def picture(self) -> NDArray[np.uint32]:
        self._view.removeEventFilter(self)
        for region in self._regions:
            self._view.render(self._image, region.boundingRect().topLeft(), region)
        self._regions.clear()
        self._view.installEventFilter(self)
        return np.array(np.frombuffer(self._image.constBits(), np.uint32))
