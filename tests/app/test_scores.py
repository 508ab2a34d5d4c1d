"""Labels against outputs: accuracy, ranks and the confusion matrix, by their definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lutloom.core.errors import DataFileError
from lutloom.core.meaning import ValueMeaning
from lutloom.core.ports import OutputPort
from lutloom.scores import Scores, check_labels, classes, scores, write_confusion


def outputs_and_labels() -> st.SearchStrategy[tuple[object, object]]:
    """Return outputs of few values, so that some are equal, and labels."""
    shapes = st.tuples(st.integers(0, 8), st.integers(1, 5))
    return shapes.flatmap(
        lambda shape: st.tuples(
            arrays(np.float32, shape, elements=st.integers(-2, 2)),
            arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1)),
        )
    )


@given(drawn=outputs_and_labels(), cut=st.integers(0, 8))
def test_scores_are_what_sorting_says_in_one_batch_or_two(
    drawn: tuple[np.ndarray, np.ndarray], cut: int
) -> None:
    outputs, labels = drawn
    found = scores(outputs, labels)
    order = [[i for _, i in sorted((-x, i) for i, x in enumerate(row))] for row in outputs]
    assert found.images == len(labels)
    for k in range(outputs.shape[1] + 1):
        wanted = sum(label in places[:k] for label, places in zip(labels, order, strict=True))
        assert found.within(k) == wanted
    assert found.correct == found.within(1) == (classes(outputs) == labels).sum()
    matrix = found.confusion(outputs.shape[1])
    assert matrix.shape == (outputs.shape[1],) * 2
    for label, row in enumerate(matrix):
        for told, count in enumerate(row):
            mine = [places[0] for places, of in zip(order, labels, strict=True) if of == label]
            assert count == mine.count(told)
    parts = scores(outputs[:cut], labels[:cut]) + scores(outputs[cut:], labels[cut:])
    assert (parts.pairs, parts.ranks) == (found.pairs, found.ranks)


def test_classes_that_the_model_lists_itself_are_ranked_as_they_stand() -> None:
    listed = np.array([[3, 1, 2], [0, 1, 2], [1, 0, 1], [5, 5, 5]])
    found = scores(listed, np.array([2, 0, 1, 4]))
    assert [found.within(k) for k in range(5)] == [0, 2, 2, 3, 3]
    assert found.correct == 2
    assert found.confusion().shape == (6, 6)
    assert found.confusion()[4, 5] == 1


def test_outputs_of_several_axes_are_one_row_each() -> None:
    outputs = np.zeros((2, 2, 1, 2), np.float32)
    outputs[0, 1, 0, 0] = outputs[1, 0, 0, 1] = 1
    assert scores(outputs, np.array([2, 1])).correct == 2


def test_a_matrix_of_too_many_classes_is_refused() -> None:
    with pytest.raises(DataFileError, match=r"^1,000,000 classes are too many for a matrix of"):
        Scores({(0, 999_999): 1}).confusion()


def test_labels_that_the_model_does_not_tell_are_refused() -> None:
    meaning = ValueMeaning((), (), "y", "y", (0,), is_quantized=False)
    ten = OutputPort("y", "y", meaning, (10,), (), is_integer=False)
    index = OutputPort("y", "y", meaning, (), (), is_integer=True)
    check_labels(np.array([0, 9]), ten)
    check_labels(np.zeros(0, np.int64), ten)
    check_labels(np.array([10]), index)
    with pytest.raises(
        DataFileError,
        match=r"^the label of image 1 is 10, but the model tells 10 classes apart, 0 to 9$",
    ):
        check_labels(np.array([9, 10, 3]), ten)


def test_the_matrix_is_written_with_the_names_of_the_classes(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    write_confusion(path, np.array([[3, 0, 1], [0, 2, 0], [0, 0, 4]]), ("cat, black", "dög"))
    assert path.read_text(encoding="utf-8").splitlines() == [
        'label,"cat, black",dög,2',
        '"cat, black",3,0,1',
        "dög,0,2,0",
        "2,0,0,4",
    ]
