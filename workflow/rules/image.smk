rule image:
    input:
        inputs_of("datasets"),
    output:
        output_of("datasets"),
    log:
        log_of("datasets"),
    benchmark:
        benchmark_of("datasets")
    resources:
        gpu=gpu_of("image"),
    message:
        "Forming images: {wildcards.id}"
    shell:
        f"{CLI} image {WHERE}"


# Small datasets are imaged several in one job, each job a rule of its own, as its outputs have no common wildcard. Only what
# is missing is an output: Snakemake deletes the outputs of a job that it runs.
if campaign.config.execution.datasets_per_job > 1 and HERE:
    BATCHES = {
        f"image_{batch[0][-10:]}": batch
        for batch in dag.image_batches(campaign, dag.missing_artifacts(campaign, exists)["datasets"])
    }
    workflow.ruleorder(*BATCHES, "image")
    for name, batch in BATCHES.items():

        rule:
            name:
                name
            input:
                paths(dict.fromkeys(each for id_ in batch for each in dag.job_inputs(campaign, "datasets", id_))),
            output:
                [f"{RESULTS}/{STAGES['datasets'].path(id_)}" for id_ in batch],
            log:
                log_of("datasets").format(id=batch[0]),
            benchmark:
                benchmark_of("datasets").format(id=batch[0])
            resources:
                gpu=gpu_of("image"),
            params:
                # Snakemake evaluates the command of a shell when the job runs: at the end of this loop
                ids=" ".join(batch),
            message:
                f"Forming images: {len(batch)} datasets, the first {batch[0]}"
            shell:
                f"{CLI} image {{params.ids}} --config {CONFIG} --results {RESULTS} > {{log}} 2>&1"


rule datasets:
    input:
        all_of("datasets"),
