"""What a user may write: the sections of the YAML file as pydantic models."""
