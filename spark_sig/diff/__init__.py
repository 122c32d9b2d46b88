"""The difference of two signatures: what becomes of data of the one that is held to the other."""

from spark_sig.diff.change import Change, Diff
from spark_sig.diff.signatures import diff_signatures
from spark_sig.diff.verdict import Compatibility

__all__ = ["Change", "Compatibility", "Diff", "diff_signatures"]
