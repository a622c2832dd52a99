#!/bin/sh
# Puts the OpenXR runtime Monado (>= 25), with a software Vulkan driver, where the tests find it.
#
# Usage: scripts/monado.sh [FOLDER]      (FOLDER: .cache/monado)
#
# Writes FOLDER/monado.env: how to start the service and how a client finds it. Where this machine's own Debian has
# Monado it is installed from there; otherwise Debian trixie's packages are extracted below FOLDER from the mirror
# that apt uses here, and run with trixie's own dynamic linker; nothing is installed then but mmdebstrap.
set -eu

repository=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$repository/.cache/monado}
packages="monado-service monado-cli libopenxr1-monado mesa-vulkan-drivers"
release=trixie
triplet=$(uname -m)-linux-gnu

say() { echo "monado: $*" >&2; }
fail() { say "$*"; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
    else fail "'$*' needs root; run it once as root, then start this again"
    fi
}

# The version of a package that apt would install here, or nothing.
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9].*\)/\1/p'; }

has_native_monado() {
    version=$(candidate monado-service)
    [ -n "$version" ] && dpkg --compare-versions "$version" ge 25
}

install_native() {
    missing=
    for package in $packages; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    # shellcheck disable=SC2086 # a list of words
    [ -z "$missing" ] || as_root apt-get install -y --no-install-recommends $missing >&2
}

# The Debian mirror that apt uses here, from its own configuration.
mirror() {
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' \
        | sed -n 's/^Debian|Debian|//p' | head -n 1
}

extract_packages() {
    command -v mmdebstrap >/dev/null || {
        as_root apt-get update >&2
        as_root apt-get install -y --no-install-recommends mmdebstrap >&2
    }
    [ -n "$(mirror)" ] || as_root apt-get update >&2
    from=$(mirror)
    [ -n "$from" ] || fail "no Debian mirror among apt's sources; add one, or install monado-service >= 25 yourself"
    say "extracting Debian $release's Monado from $from (about 650 MB, once)"
    rm -rf "$folder/root.partial"
    if [ "$(id -u)" = 0 ]; then mode=root; else mode=auto; fi
    mmdebstrap --quiet --mode="$mode" --variant=extract --include="$(echo "$packages" | tr ' ' ',')" \
        "$release" "$folder/root.partial" "$from" >&2
    mv "$folder/root.partial" "$folder/root"
}

write_json() { # FILE LIBRARY KEY FIELD
    printf '{"file_format_version": "1.0.0", "%s": {%s, "library_path": "%s"}}\n' "$3" "$4" "$2" >"$1"
}

describe_native() {
    echo "MONADO_LINKER="
    echo "MONADO_LIBRARIES="
    echo "MONADO_SERVICE=/usr/bin/monado-service"
    echo "MONADO_CTL=/usr/bin/monado-ctl"
    echo "XR_RUNTIME_JSON=$(ls /usr/share/openxr/1/openxr_monado*.json | head -n 1)"
    echo "VK_DRIVER_FILES=$(ls /usr/share/vulkan/icd.d/lvp_icd*.json | head -n 1)"
}

describe_extracted() {
    root=$folder/root
    library=$root/usr/lib/$triplet
    linker=$(ls "$library"/ld-linux*.so.* | head -n 1)
    write_json "$folder/runtime.json" "$library/libopenxr_monado.so" runtime '"name": "Monado"'
    write_json "$folder/vulkan.json" "$library/libvulkan_lvp.so" ICD '"api_version": "1.4.305"'
    echo "MONADO_LINKER=$linker"
    echo "MONADO_LIBRARIES=$library:$root/usr/lib:$library/pulseaudio:$library/blas:$library/lapack"
    echo "MONADO_SERVICE=$root/usr/bin/monado-service"
    echo "MONADO_CTL=$root/usr/bin/monado-ctl"
    echo "XR_RUNTIME_JSON=$folder/runtime.json"
    echo "VK_DRIVER_FILES=$folder/vulkan.json"
}

command -v apt-get >/dev/null || fail "this needs Debian or a distribution made from it (apt-get)"
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
if has_native_monado; then
    install_native
    describe_native >"$folder/monado.env"
else
    [ -d "$folder/root" ] || extract_packages
    describe_extracted >"$folder/monado.env"
fi
say "ready: $folder/monado.env"
