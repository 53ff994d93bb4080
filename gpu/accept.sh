#!/usr/bin/env bash
# The acceptance suite of the GPU code, on a machine that may reach no package index: tests/gpu, then benchmarks/gpu.py.
#
#     gpu/accept.sh WHEELS [RESULT.json]
#
# WHEELS is the folder of `make gpu-wheels`. The machine has Python >= 3.12 with PyTorch and CuPy of one CUDA version,
# Lightning, pytest, hypothesis, setuptools >= 77 and the SciPy stack. On a machine without a GPU the tests are skipped, the
# measurements only tried, and the JSON says so.
#
# All of it ends within ACCEPT_SECONDS (470): tests and measurements for which no time is left are left out, the JSON names
# them, and the exit code is not 0.
set -uo pipefail
wheels=$(realpath "${1:?usage: gpu/accept.sh WHEELS [RESULT.json]}")
result=$(realpath -m "${2:-gpu-result.json}")
seconds=${ACCEPT_SECONDS:-470}
[[ $seconds =~ ^[1-9][0-9]{1,5}$ ]] || { echo "ACCEPT_SECONDS is $seconds; valid are whole numbers from 10 to 999999" >&2; exit 2; }
compgen -G "$wheels/*.whl" >/dev/null || { echo "$wheels holds no wheels; make gpu-wheels collects them" >&2; exit 2; }
begin=$(date +%s)
end=$((begin + seconds))
left() { echo $(($1 - $(date +%s) > 0 ? $1 - $(date +%s) : 1)); }
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install() {
    "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --root-user-action=ignore \
        --disable-pip-version-check --target "$work/site" "$@"
}
install "$wheels"/*.whl && install --no-build-isolation . || exit 2
export PYTHONPATH="$work/site" OMP_NUM_THREADS=1 CUBLAS_WORKSPACE_CONFIG=:4096:8
"$python" -m hrtem_ood doctor || echo "doctor: something is wrong with this machine, see above"
# Without the options of pyproject.toml, some of which need plugins. The installed packages are newer than those of the lock:
# their deprecations fail no test here. Two runs side by side, as the CPU computes what the GPU is compared with.
run_tests() {
    name=$1 && shift
    GPU_TESTS_UNTIL=$((begin + seconds * 5 / 8)) timeout -k 10 "$(left "$end")" "$python" -m pytest "$@" -q \
        -o addopts=--import-mode=importlib -p no:cacheprovider -W default --durations=10 --junitxml="$work/$name.xml"
}
learning=(tests/gpu/test_training.py tests/gpu/test_step_graph.py tests/gpu/test_evaluation.py)
others=()
for file in tests/gpu/test_*.py; do
    [[ " ${learning[*]} " == *" $file "* ]] || others+=("$file")
done
run_tests others "${others[@]}" &
others_run=$!
run_tests learning "${learning[@]}"
tests=$?
wait "$others_run"
others_end=$?
tests=$((tests > others_end ? tests : others_end))
timeout -k 10 "$(left "$end")" "$python" benchmarks/gpu.py --tests "$work"/{learning,others}.xml --output "$result" \
    --until $((end - seconds / 8))
benchmarks=$?
echo "tests: exit code $tests, benchmarks: exit code $benchmarks, $(($(date +%s) - begin)) s, $result"
exit $((tests > benchmarks ? tests : benchmarks))
