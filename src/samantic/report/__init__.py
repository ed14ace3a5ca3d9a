"""Pages that need no network and no other file: the report of a run, and tables with figures."""

from samantic.report.lessons import lesson_panel
from samantic.report.pages import Section, write_page, write_sections
from samantic.report.pictures import Panel, Picture, picture, side_by_side
from samantic.report.predictions import write_predictions
from samantic.report.run_page import write_report

__all__ = [
    "Panel",
    "Picture",
    "Section",
    "lesson_panel",
    "picture",
    "side_by_side",
    "write_page",
    "write_predictions",
    "write_report",
    "write_sections",
]
