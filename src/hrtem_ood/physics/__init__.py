"""From atoms to images, as functions of arrays and of small parameter classes. Knows no campaign and no configuration."""
