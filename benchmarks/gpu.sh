#!/usr/bin/env bash
# Try and time everything that runs on a GPU, in about seven minutes: benchmarks/gpu.sh [OUT]
#
# PYTHON names the environment's Python (default .venv/bin/python), OUT the folder of the results
# (default runs/gpu). A step that fails is named at the end, and the others are run all the same.
# DEVICE=cpu tries the script where there is no GPU.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
out=$(realpath -m "${1:-${OUT:-runs/gpu}}")
pilotnet=("$python" -m pilotnet_brain.cli)
models=(baseline structured_prune)
export device=${DEVICE:-cuda}
export MUJOCO_GL=${MUJOCO_GL:-egl}
mkdir -p "$out"

"$python" - <<'EOF' || exit 2
import os, sys, torch
if os.environ["device"] == "cuda" and not torch.cuda.is_available():
    sys.exit("error: torch finds no usable GPU (DEVICE=cpu tries the script without one)")
EOF

failed=()
step() { # NAME SECONDS COMMAND...
    local name=$1 limit=$2
    shift 2
    echo "== $name"
    timeout --signal=INT --kill-after=10 "$limit" "$@" 2>&1 | tee "$out/$name.log"
    [ "${PIPESTATUS[0]}" -eq 0 ] || failed+=("$name")
}

swap_in_mid_lap() { # a lap of the baseline, with another model for a part of it
    local run trajectory=$out/swapped/latest/trajectory.csv rows=200 model
    "$python" -m pilotnet_brain.cli drive --model baseline --device "$device" \
        --circuit simple_circuit --output "$out/swapped" --no-record &
    run=$!
    for model in structured_prune baseline; do
        until [ "$(cat "$trajectory" 2>/dev/null | wc -l)" -gt $rows ] || ! kill -0 $run; do
            sleep 0.2
        done
        "$python" -m pilotnet_brain.cli swap "$model"
        rows=700
    done
    wait $run
}

step tests 120 "$python" -m pytest -q -p no:cacheprovider test/driving/model test/driving/test_pilot.py
step data 60 "${pilotnet[@]}" data collect "$out/frames" --frames 640 --random-share 0 \
    --circuit simple_circuit
for where in $(printf '%s\n' "$device" cpu | sort -u); do
    step "inference_$where" 90 "${pilotnet[@]}" models time "${models[@]}" --data "$out/frames" \
        --device "$where" --out "$out" --rounds 10
done
step live 90 "${pilotnet[@]}" drive --model baseline --device "$device" --circuit simple_circuit \
    --output "$out/live"
export -f swap_in_mid_lap
export python out
step swap 90 bash -c swap_in_mid_lap
step training 120 "$python" benchmarks/gpu.py training --out "$out/training.json"
step onnx 60 "$python" benchmarks/gpu.py onnx --out "$out/onnx.json"
step lockstep 60 "$python" benchmarks/bench.py --no-transport --model baseline --device "$device" \
    --blocks 4 --out "$out/bench.json"
"$python" benchmarks/gpu.py summary "$out"

if [ ${#failed[@]} -gt 0 ]; then
    echo "not well: ${failed[*]} (logs in $out)"
    exit 1
fi
