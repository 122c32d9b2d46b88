"""Data contracts of the Open Data Contract Standard (ODCS 3), made of signatures and read as such.

Source: the standard and its JSON Schema (https://bitol-io.github.io/open-data-contract-standard).
"""

from __future__ import annotations

from spark_sig.odcs.files import is_contract, load_contract, parse_contract
from spark_sig.odcs.read import Contract, read_contract
from spark_sig.odcs.write import contract_document, contract_yaml

__all__ = [
    "Contract",
    "contract_document",
    "contract_yaml",
    "is_contract",
    "load_contract",
    "parse_contract",
    "read_contract",
]
