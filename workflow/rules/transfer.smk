rule transfer:
    input:
        inputs_of("transfer"),
    output:
        output_of("transfer"),
    log:
        log_of("transfer"),
    benchmark:
        benchmark_of("transfer")
    message:
        "Computing information transfer: {wildcards.id}"
    shell:
        f"{CLI} transfer {WHERE}"
