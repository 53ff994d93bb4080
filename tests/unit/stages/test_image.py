"""Images with nothing on them, or with more than is stored, are errors of the stage."""

import numpy as np
import pytest

from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.imaging.detector import smallest_unsigned
from hrtem_ood.stages.image import check_not_blank


def test_a_blank_dataset_is_an_error_that_names_dataset_and_condition(small):
    spec = next(iter(small.datasets.values()))
    for value in (0, 7):
        with pytest.raises(ConfigError) as caught:
            check_not_blank(spec, np.full((3, 8, 8), value, np.uint8))
        assert f"dataset {spec.id} is blank" in str(caught.value)
        assert spec.condition.label in str(caught.value)
        assert f"are {value}." in str(caught.value)
    counts = np.zeros((3, 8, 8), np.uint8)
    counts[2, 3, 4] = 1
    check_not_blank(spec, counts)


def test_counts_that_no_type_holds_are_an_error():
    assert smallest_unsigned(np.array([2.0**32 - 1])).dtype == np.uint32
    with pytest.raises(ConfigError, match=r"a pixel has 4\.29e\+09, more than the 4,294,967,295 that are stored"):
        smallest_unsigned(np.array([2.0**32]))
