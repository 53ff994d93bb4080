rule predictors:
    input:
        inputs_of("predictors"),
    output:
        output_of("predictors"),
    log:
        log_of("predictors"),
    benchmark:
        benchmark_of("predictors")
    message:
        "Computing predictors: {wildcards.id}"
    shell:
        f"{CLI} predictors {WHERE}"
