#!/usr/bin/env bash
# Makes docs/images/report.png: the demo's real report, as a browser shows it. Needs Chromium and ImageMagick.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh sim
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.venv/bin/teleloom demo --out "$work/demo" --seed 1
chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
  --disable-component-update --disable-sync --user-data-dir="$work/profile" --hide-scrollbars \
  --window-size=1280,1240 --screenshot="$work/report.png" "file://$work/demo/report/index.html" >/dev/null 2>&1
mkdir -p docs/images
convert "$work/report.png" -resize 1000x docs/images/report.png
