"""Figures, the HTML report, the page of a study, and previews."""
