"""Jobs while they run and after they failed: their records, and how a campaign is getting on."""
