#!/usr/bin/env bash
# Makes .venv ready for `make demo` (sim), `make review` (review) or `make test` (dev): Debian packages, virtual environment, pinned packages.
# Does nothing when what it would install is already there.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:?usage: scripts/setup.sh sim|review|dev}
case $purpose in
  sim) extras=sim packages="libegl1 libopengl0 libgl1-mesa-dri" ;;
  review) extras=sim,review packages="libegl1 libopengl0 libgl1-mesa-dri" ;;
  dev) extras=dev packages="libegl1 libopengl0 libgl1 libgl1-mesa-dri postgresql mmdebstrap iproute2 util-linux chromium libatomic1 fonts-dejavu-core openssl" ;;
  *) echo "setup: unknown purpose '$purpose'; known: sim, review, dev" >&2; exit 2 ;;
esac

python=${PYTHON:-}
if [ -z "$python" ]; then
  for candidate in python3.11 python3.12 python3.13 python3; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      python=$candidate
      break
    fi
  done
fi
[ -n "$python" ] || packages="$packages python3"
"${python:-python3}" -c 'import ensurepip' 2>/dev/null || packages="$packages python3-venv"

missing=""
if command -v dpkg-query >/dev/null; then
  for package in $packages; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
  done
fi
if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2>/dev/null; then as_root="sudo"; else
    echo "setup: these Debian packages are missing:$missing" >&2
    echo "setup: install them with: sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
  fi
  echo "setup: installing Debian packages:$missing"
  export DEBIAN_FRONTEND=noninteractive
  $as_root apt-get update -qq
  $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
python=${python:-python3}

wanted=$(cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum | cut -d' ' -f1)
stamp=.venv/.teleloom-$purpose
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  echo "setup: installing teleloom[$extras] into .venv (a few minutes the first time)"
  .venv/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt -e ".[$extras]"
  echo "$wanted" > "$stamp"
fi
