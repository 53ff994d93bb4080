"""A configuration expanded: specs and content ids of all artifacts, packs, and which job makes what from what."""
