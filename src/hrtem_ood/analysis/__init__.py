"""Metrics, figures, tables and the report (stage `analyze`).

This module stays empty of code, so that a workflow can read ``VERSION`` without importing the stage.
"""

VERSION = 6
"""Raise by hand whenever this stage's outputs would change for unchanged parameters: it is part of every id."""
