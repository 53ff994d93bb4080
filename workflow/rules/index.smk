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
        "Listing all artifacts: {wildcards.id}"
    shell:
        f"{CLI} index {WHERE}"
