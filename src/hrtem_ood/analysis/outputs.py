"""Names of what `report` writes, below its folder. Light to import: the workflow reads it."""

FIGURE_NAMES = ("examples", "ctf", "power", "ood_matrix", "gap")

FIGURES = tuple(f"figures/{name}.{kind}" for name in FIGURE_NAMES for kind in ("png", "svg"))

TABLE_NAMES = ("ood_matrix", "gap", "predictors", "networks", "conditions", "architectures", "signs_of_trouble")
LEAGUE_NAMES = ("league", "forecast")

TABLES = tuple(f"tables/{name}.csv" for name in (*TABLE_NAMES, *LEAGUE_NAMES))

REPORT = "report.html"
