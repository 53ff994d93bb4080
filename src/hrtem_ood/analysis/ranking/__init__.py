"""How well predictors rank OOD performance, and forecasts made from them."""
