"""Several questions about cubes as one request, so that all their numbers are of one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callsheet.analytics.cube_axes import axes_of
from callsheet.analytics.cube_frames import CubeFrame
from callsheet.analytics.cube_questions import asked_question, cells_of_question, frame_of
from callsheet.core.asking import ask
from callsheet.flow import Flow
from callsheet.model.question import Question

__all__ = ["together"]


def together(core: Any, wanted: Sequence[tuple[Any, ...]]) -> Flow[list[CubeFrame]]:
    """The answers in the order of the questions.

    Each is a cube, measures, levels, a filter, totals, scenarios and positions, as `Cube.query` takes them.
    """
    asked = [(cube, *asked_question(cube, *given), axes_of(names, at)) for cube, *given, names, at in wanted]
    questions = [
        Question(aggregate, at=position, scenario=name)
        for _, _, _, aggregate, axes in asked
        for name, position in axes.points
    ]
    answers = iter((yield from ask(core, questions)))
    frames = []
    for cube, levels, numbers, aggregate, axes in asked:
        cells = cells_of_question(cube, levels, numbers, aggregate)
        frames.append(frame_of(cube, levels, numbers, axes, [next(answers) for _ in axes.points], cells))
    return frames
