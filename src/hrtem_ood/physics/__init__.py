"""From atoms to images, as functions of arrays and of small parameter classes, independent of campaign and configuration."""
