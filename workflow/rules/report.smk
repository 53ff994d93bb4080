rule report:
    input:
        inputs_of("reports"),
    output:
        [captioned(f"{RESULTS}/{path}") for path in dag.job_outputs("reports", "{id}", campaign)],
    log:
        log_of("reports"),
    benchmark:
        benchmark_of("reports")
    message:
        "Drawing figures and writing the report: {wildcards.id}"
    shell:
        f"{CLI} report {WHERE}"
