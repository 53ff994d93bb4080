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
        f"{CLI} metrics {WHERE}"
