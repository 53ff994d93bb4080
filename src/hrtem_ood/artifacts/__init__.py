"""Files in results/: reading, writing, content ids, leases. Knows nothing of what they contain."""
