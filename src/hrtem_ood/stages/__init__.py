"""One module per rule of the workflow: reads artifacts, calls the libraries below, and writes one artifact."""
