# One small file represents all datasets of a test suite, so that an evaluation has one input for them, not hundreds.
rule suite:
    input:
        inputs_of("suites"),
    output:
        output_of("suites"),
    log:
        log_of("suites"),
    benchmark:
        benchmark_of("suites")
    message:
        "Indexing test datasets: {wildcards.id}"
    shell:
        f"{CLI} suite {WHERE}"
