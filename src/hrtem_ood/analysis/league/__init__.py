"""The league: how well predictors tell what networks do off-domain, and what a forecast by the best of theory is worth."""
