#!/bin/bash
# Runs vulkaninfo and ggml's tests on this machine's NVIDIA driver, natively and through our host, and writes all that
# they say into one file, which `cargo xtask parity --remote-gpu FILE` reads.
#
# usage: run.sh RESULT-FILE
#
# Needs bash, coreutils, sed, tar, gzip and the driver: everything else is in files.tar.gz beside this script, which
# `cargo xtask remote-gpu` packs on another machine. Nothing is installed, and nothing is left behind but the result.
#
# The driver may lie anywhere; these say where, if it is not found:
#   DRIVER_MANIFEST  its nvidia_icd.json
#   DRIVER_FOLDER    the folder of its libraries
set -u
here=$(cd "$(dirname "$0")" && pwd)
result=$(realpath -m "${1:?usage: run.sh RESULT-FILE}")
work=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
tar -xzf "$here/files.tar.gz" -C "$work" || exit 1
mkdir "$work/info"
: >"$result"

say() {
    echo "$(date +%T) $*" >&2
}

# --- the driver -------------------------------------------------------------------------------------------------------

manifest=${DRIVER_MANIFEST:-}
for folder in /usr/local/nvidia/share/vulkan/icd.d /etc/vulkan/icd.d /usr/share/vulkan/icd.d; do
    for file in "$folder"/nvidia_icd*.json; do
        [ -n "$manifest" ] || [ ! -e "$file" ] || manifest=$file
    done
done
[ -n "$manifest" ] || { say "no nvidia_icd.json found: set DRIVER_MANIFEST"; exit 1; }
library=$(sed -n 's/.*"library_path" *: *"\([^"]*\)".*/\1/p' "$manifest" | head -n 1)
driver=${DRIVER_FOLDER:-}
case $library in
/*) [ -n "$driver" ] || driver=$(dirname "$library") ;;
esac
for folder in /usr/local/nvidia/lib64 /usr/local/nvidia/lib /usr/lib/x86_64-linux-gnu /usr/lib64; do
    [ -n "$driver" ] || [ ! -e "$folder/$library" ] || driver=$folder
done
[ -n "$driver" ] || { say "no $library found: set DRIVER_FOLDER"; exit 1; }
say "driver: $driver/$(basename "$library"), by $manifest"

# The loader looks for relative names in the library path that the programs get; an absolute one leaves no choice.
sed "s|\"library_path\" *: *\"[^\"]*\"|\"library_path\": \"$driver/$(basename "$library")\"|" "$manifest" \
    >"$work/native_icd.json"
cat >"$work/venus_icd.json" <<END
{"ICD": {"api_version": "1.4.0", "library_path": "$work/lib/libvulkan_virtio.so"}, "file_format_version": "1.0.1"}
END
vendor=/usr/local/nvidia/share/glvnd/egl_vendor.d/10_nvidia.json
[ ! -e $vendor ] || export __EGL_VENDOR_LIBRARY_FILENAMES=$vendor

# --- the programs -----------------------------------------------------------------------------------------------------

# Debian sid's programs want a newer C library than this machine has, so they run through their own loader. A chroot
# would do the same, but NVIDIA's driver crashes in one.
cat >"$work/run" <<END
#!/bin/bash
# usage: run PROGRAM ARGUMENT...
exec "$work/lib/ld-linux-x86-64.so.2" \${PRELOAD:+--preload "\$PRELOAD"} --library-path "$work/lib:$work/gl:$driver" --argv0 "\$1" "$work/bin/\$1" "\${@:2}"
END
# What our server makes its worker processes of.
cat >"$work/worker" <<END
#!/bin/bash
exec "$work/run" venus "\$@"
END
chmod +x "$work/run" "$work/worker"
export XDG_RUNTIME_DIR=$work HOME=$work LC_ALL=C.UTF-8
unset DISPLAY WAYLAND_DISPLAY VK_ICD_FILENAMES VK_DRIVER_FILES
# ggml looks for its backends beside the program, which is the loader here, and in the current folder.
cd "$work/backends" || exit 1

native() {
    VK_DRIVER_FILES=$work/native_icd.json "$@"
}
# What a guest has no extensions for cannot be used natively, either.
native_alike() {
    VK_DRIVER_FILES=$work/native_icd.json VENUS_PROTOCOL_EXTENSIONS=1 PRELOAD=$work/lib/libvenus_in_process.so "$@"
}
venus() {
    VN_DEBUG=vtest VTEST_SOCKET_NAME=$work/venus.sock VK_DRIVER_FILES=$work/venus_icd.json "$@"
}

# Our host in the program's own process, where memory is shared by pointer, too.
in_process() {
    VN_DEBUG=vtest VTEST_SOCKET_NAME=$work/in-process VK_DRIVER_FILES=$work/venus_icd.json \
        VENUS_IN_PROCESS_DRIVER=$driver/$(basename "$library") PRELOAD=$work/lib/libvenus_in_process.so "$@"
}

# section NAME FILE: copies FILE into the result. A section begins with a line `@@ name key=value...`.
section() {
    echo "@@ $1" >>"$result"
    sed 's/\x1b\[[0-9;]*m//g; s/^@@/ @@/' "$2" >>"$result"
}

# step SIDE NAME LIMIT COMMAND...: runs a program on one side, and keeps what it prints.
step() {
    local side=$1 name=$2 limit=$3 started ended status
    shift 3
    say "$side: $name"
    started=$(date +%s%N)
    "$side" timeout -k 5 "$limit" "$@" >"$work/stdout" 2>"$work/stderr"
    status=$?
    ended=$(date +%s%N)
    # vulkaninfo leaves a file named after the device, or prints.
    for file in "$work"/info/*.json; do
        [ ! -e "$file" ] || mv "$file" "$work/stdout"
    done
    section "$side.$name status=$status ms=$(((ended - started) / 1000000))" "$work/stdout"
    tail -n 40 "$work/stderr" >"$work/errors"
    section "$side.$name.errors" "$work/errors"
    [ $status -eq 0 ] || say "  failed with status $status"
}

both() {
    step native "$@"
    step venus "$@"
}

# --- what is run ------------------------------------------------------------------------------------------------------

section versions "$work/versions"
{
    nvidia-smi --query-gpu=name,driver_version --format=csv,noheader || cat /proc/driver/nvidia/version
} >"$work/stdout" 2>/dev/null
section card "$work/stdout"

export VENUS_VULKAN_LIBRARY=$work/lib/libvulkan.so.1
native env VENUS_WORKER_PROGRAM="$work/worker" timeout 60 "$work/run" venus doctor --json >"$work/stdout" 2>/dev/null
section doctor "$work/stdout"

native "$work/run" venus serve --socket-path "$work/venus.sock" --worker-program "$work/worker" \
    --sandbox "${SANDBOX-on}" >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 300); do
    [ ! -e "$work/venus.sock" ] || break
    sleep 0.1
done

# What users reported, re-enacted: the verdicts of both sides are told as they come, and kept. Nothing is killed here.
cases() {
    for case in $("$work/run" venus-cases --list | sed 's/ .*//' | grep -v '^lost-'); do
        both "case-$case" 60 "$work/run" venus-cases "$case"
        for side in native venus; do
            verdict=$(sed -n "/^@@ $side.case-$case status/{n;p}" "$result")
            say "  $side: ${verdict:-none}"
        done
    done
}

# llama_step SIDE NAME COMMAND...: a benchmark of a language model, whose figures are told as they come.
llama_step() {
    local side=$1 name=$2 figures
    shift 2
    step "$side" "$name" 120 "$@" "$work/run" llama-bench -m "$work/model.gguf" -ngl 99 -p 512 -n 128 \
        -r "${REPETITIONS-20}" -o jsonl
    figures='s|.*"n_prompt": \([0-9]*\), "n_gen": \([0-9]*\),.*"avg_ts": \([0-9.]*\), "stddev_ts": \([0-9.]*\).*|'
    figures+='  prompt of \1, \2 generated: \3 tokens a second, deviation \4|p'
    sed -n "/^@@ $side.$name status/,/^@@ $side.$name.errors/{$figures}" "$result" >&2
}

# with_model COMMAND: runs what measures a language model, which is there meanwhile.
with_model() {
    export GGML_VK_VISIBLE_DEVICES=0
    "$work/run" random-model "$work/model.gguf" || return
    "$@"
    rm "$work/model.gguf"
}

# llama_pair TURN: the two sides that have the same extensions and types of memory.
llama_pair() {
    llama_step native_alike "llama.$1"
    llama_step in_process "llama.$1"
}

llama_pairs() {
    for turn in ${TURNS-1 2 3}; do
        llama_pair "$turn"
    done
}

# Tokens a second: natively with the extensions that the protocol carries; in the program's process; and behind the socket,
# where the card's own memory cannot be mapped. Then what that memory and the other extensions are worth.
llama() {
    local no_memory="env GGML_VK_DISABLE_HOST_VISIBLE_VIDMEM=1"
    for turn in ${TURNS-1 2 3 4}; do
        llama_pair "$turn"
        llama_step venus "llama.$turn"
        llama_step native "llama-without-cooperative-matrix-2.$turn" env GGML_VK_DISABLE_COOPMAT2=1
    done
    llama_step native_alike llama-without-visible-memory $no_memory
    llama_step in_process llama-without-visible-memory $no_memory
    llama_step native llama
}

# One line for each case of ggml's operations that is measured by itself: the operation, and what tells the case from others.
operations_list() {
    local type columns kernel heads group rows
    echo 'ADD nr=\[1,1,1,1\]'
    echo 'ADD nr=\[1,512,'
    for type in f32 f16 q4_0 q8_0; do
        for columns in 1 512; do
            echo "MUL_MAT type_a=$type,type_b=f32,m=4096,n=$columns,k=14336,bs=\[1,1\]"
        done
    done
    for rows in 65000,16 200000,1 200000,16; do
        echo "ARGSORT ne=\[$rows,"
    done
    for kernel in 4,4,256,4096 4,4,8,128 4,4,8,130 2,2,4,4 3,3,3,8 '2,2,1,8\].*' 3,3,128,512; do
        echo "CONV_2D ne_kernel=\[$kernel.*type_kernel=f32"
    done
    for rows in 58,58,32,1 58,58,32,8 1536,1536,32,1; do
        echo "CONV_2D ne_input=\[$rows\].*type_kernel=f32"
    done
    for heads in 64 128; do
        for group in 1 4 8; do
            for rows in 1 4096; do
                echo "FLASH_ATTN_EXT hsk=$heads,hsv=$heads,nh=8,nr23=\[$group,1\],kv=4096,nb=$rows,"
            done
        done
    done
}

# Times of ggml's operations, natively and in the program's process in turns, each case in a process of its own: a guest's
# driver takes longer to begin again the more a process has recorded before. What that is worth, `shared` says, which has
# all cases of an operation in one process.
operations() {
    export GGML_VK_VISIBLE_DEVICES=0
    local turn side number operation case
    for turn in ${TURNS-1 2 3}; do
        number=0
        while read -r -u 3 operation case; do
            number=$((number + 1))
            for side in native_alike in_process; do
                step $side "alone-$operation.$number.$turn" 30 "$work/run" test-backend-ops perf -o "$operation" -p "$case"
            done
        done 3< <(operations_list)
    done
}

shared() {
    export GGML_VK_VISIBLE_DEVICES=0
    local turn side operation
    for turn in ${TURNS-1}; do
        for side in native_alike in_process; do
            for operation in CONV_2D FLASH_ATTN_EXT; do
                step $side "shared-$operation.$turn" 60 "$work/run" test-backend-ops perf -o $operation -p 'type_kernel=f32|kv=4096'
            done
        done
    done
}

all_else() {
    # A device of type CPU is left out by ggml itself, unless it is named; on the card this changes nothing.
    export GGML_VK_VISIBLE_DEVICES=0
    ggml="$work/run test-backend-ops"
    tested='type_a=(f32|f16|bf16|q4_0|q8_0|q4_K|q6_K|iq4_xs),type_b=f32'
    shapes='type_a=(f32|f16|q4_0|q8_0),type_b=f32,m=4096,n=(1|512),k=14336,bs=\[1,1\]'

    # Natively the newest may crash in NVIDIA's driver; an older one asks less of it.
    for version in vulkaninfo vulkaninfo-trixie vulkaninfo-bookworm; do
        (cd "$work/info" && both "$version" 60 "$work/run" "$version" --json)
    done
    both test-ADD 90 $ggml test -o ADD
    for turn in ${TURNS-1 2}; do
        both "perf-MUL_MAT.$turn" 45 $ggml perf -o MUL_MAT -p "$shapes"
        step native_alike "perf-MUL_MAT.$turn" 45 $ggml perf -o MUL_MAT -p "$shapes"
        # What the matrix extension of NVIDIA's is worth by itself.
        step native "without-cooperative-matrix-2.$turn" 45 \
            env GGML_VK_DISABLE_COOPMAT2=1 $ggml perf -o MUL_MAT -p "$shapes"
        both "perf-ADD.$turn" 45 $ggml perf -o ADD
    done
    both test-MUL_MAT 150 $ggml test -o MUL_MAT -p "$tested"
}
case ${ONLY-} in
cases) cases ;;
ggml) all_else ;;
llama) with_model llama ;;
pairs) with_model llama_pairs; operations; shared ;;
*) cases; all_else; with_model llama ;;
esac

kill "$server" 2>/dev/null
wait "$server" 2>/dev/null
server=
tail -n 200 "$work/server.log" >"$work/stdout"
section server.log "$work/stdout"
say "written: $result"
