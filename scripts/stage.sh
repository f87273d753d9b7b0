#!/usr/bin/env bash
# stage.sh DIR: lays out in DIR what the program runs from, and nothing else: bin, compiled code, npm packages of production.
# The Docker image and the Debian package are both made of this. Needs npm ci and a build (tsc -b packages/* sidecar web).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${1:?stage.sh: a directory is wanted}
[[ -f dist/sidecar/main.js ]] || { echo 'stage.sh: dist/sidecar/main.js is missing: run npm run build' >&2; exit 1; }

mkdir -p "$target/bin" "$target/dist" "$target/node_modules" "$target/web"
cp bin/gwmark "$target/bin/"
cp package.json LICENSE "$target/"
cp -r dist/sidecar dist/rules dist/web "$target/dist/"
cp web/index.html web/style.css "$target/web/"

# Each package where npm has it: nested ones stay nested. Our own are links into packages/; of these the compiled code is taken.
npm ls --omit=dev --all --parseable | sed -n "s|^$PWD/node_modules/||p" | while read -r name; do
  case $name in @types/*) continue ;; esac
  mkdir -p "$target/node_modules/$name"
  if [[ -L node_modules/$name ]]; then
    cp -r "node_modules/$name/package.json" "node_modules/$name/dist" "$target/node_modules/$name/"
  else
    # Nested packages come by their own line, if they are of production.
    tar -C "node_modules/$name" --exclude=./node_modules -cf - . | tar -C "$target/node_modules/$name" -xf -
  fi
done

# For people who read and for compilers.
find "$target" \( -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.map' -o -name '*.tsbuildinfo' -o -name '.tsbuildinfo' \) -delete
find "$target/node_modules" -type f \( -iname '*.md' -o -name '.*' -o -name '*.ts' \) ! -iname '*licen[cs]e*' -delete
rm -rf "$target/node_modules/koffi/doc" "$target/dist/sidecar/log/testing" "$target"/node_modules/*/dist/testing
find "$target" -type d -empty -delete
chmod -R u=rwX,go=rX "$target"
