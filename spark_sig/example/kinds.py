"""The kinds of examples, by how they are written."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import pandas as pd

from spark_sig.engines.arrays import is_sparse


class ExampleType(str, Enum):
    """How an example is written; the values are MLflow's."""

    DATAFRAME = "dataframe"
    NDARRAY = "ndarray"
    CSR = "sparse_matrix_csr"
    CSC = "sparse_matrix_csc"
    JSON = "json_object"

    @classmethod
    def of(cls, data: Any) -> ExampleType:
        """Return how data are written that are kept as an example.

        Example:
            >>> ExampleType.of(np.zeros(3)).value, ExampleType.of({"a": [1]}).value
            ('ndarray', 'json_object')
        """
        if isinstance(data, pd.DataFrame):
            return cls.DATAFRAME
        if is_sparse(data):
            return cls.CSC if data.format == "csc" else cls.CSR
        parts = data.values() if isinstance(data, dict) else [data]
        return cls.NDARRAY if any(isinstance(part, np.ndarray) for part in parts) else cls.JSON
