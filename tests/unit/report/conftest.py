from tests.unit.synthetic import config, make, synthetic, undrawn  # noqa: F401  # fixtures
