"""A configuration expanded: specs and content ids of all artifacts, packs, and the inputs and outputs of all jobs."""
