rule simulate:
    input:
        inputs_of("exit_waves"),
    output:
        output_of("exit_waves"),
    log:
        log_of("exit_waves"),
    benchmark:
        benchmark_of("exit_waves")
    resources:
        gpu=gpu_of("simulate"),
    message:
        "Simulating exit waves: {wildcards.id}"
    shell:
        f"{CLI} simulate {WHERE}"
