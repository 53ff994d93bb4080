"""How well predictors rank OOD performance, and forecasts derived from them."""
