rule build:
    input:
        inputs_of("structures"),
    output:
        output_of("structures"),
    log:
        log_of("structures"),
    benchmark:
        benchmark_of("structures")
    message:
        "Drawing random structures: {wildcards.id}"
    shell:
        f"{CLI} build {WHERE}"
