from tests.unit.synthetic import config, make, synthetic  # noqa: F401  # fixtures
