rule metrics:
    input:
        inputs_of("metrics"),
    output:
        output_of("metrics"),
    log:
        log_of("metrics"),
    benchmark:
        benchmark_of("metrics")
    message:
        "Gathering scores: {wildcards.id}"
    shell:
        f"{CLI} analyze metrics {WHERE}"


rule report:
    input:
        inputs_of("reports"),
    output:
        [f"{RESULTS}/{path}" for path in dag.job_outputs("reports", "{id}", campaign)],
    log:
        log_of("reports"),
    benchmark:
        benchmark_of("reports")
    message:
        "Drawing figures and writing the report: {wildcards.id}"
    shell:
        f"{CLI} analyze report {WHERE}"


rule index:
    input:
        inputs_of("indexes"),
    output:
        output_of("indexes"),
    log:
        log_of("indexes"),
    benchmark:
        benchmark_of("indexes")
    message:
        "Listing every artifact: {wildcards.id}"
    shell:
        f"{CLI} analyze index {WHERE}"
