#!/usr/bin/env bash
# npm run release -- VERSION [--dry-run]: makes a release out of a clean main.
#   1. VERSION goes into package.json (ours and the three packages'), the lock file and docker-compose.yml
#   2. "Unreleased" in CHANGELOG.md becomes VERSION with today's date
#   3. a commit and an annotated tag vVERSION
#   4. dist/release: npm tarballs, Debian packages, sources, SBOM (CycloneDX), SHA256SUMS
# It pushes and publishes nothing: the last lines say how. With --dry-run, steps 1 to 3 happen in a copy, and only dist/release is left.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

usage='usage: npm run release -- VERSION [--dry-run]   (VERSION as 1.2.3 or 1.2.3-rc.1)'
version='' dry_run=0
for word; do
  case $word in
    --dry-run) dry_run=1 ;;
    --help | -h) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) [[ -z $version ]] || { printf '%s\n' "$usage" >&2; exit 64; }; version=$word ;;
  esac
done
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || { printf 'release: %s is not a version; %s\n' "${version:-nothing}" "$usage" >&2; exit 64; }

[[ -z $(git status --porcelain) ]] || refuse 'release: there are uncommitted changes; commit or stash them first'
[[ $dry_run -eq 1 || $(git branch --show-current) == main ]] || refuse "release: on branch $(git branch --show-current), not on main"
! git rev-parse -q --verify "refs/tags/v$version" >/dev/null || refuse "release: tag v$version exists already"
sed -n '/^## \[Unreleased\]/,/^## \[[0-9]/p' CHANGELOG.md | grep -q '^\* ' || refuse 'release: nothing is under "Unreleased" in CHANGELOG.md'

out=$PWD/dist/release
if [[ $dry_run -eq 1 ]]; then
  copy=$(mktemp -d)
  trap 'rm -rf "$copy"' EXIT
  git clone -q --no-hardlinks . "$copy/gwmark"
  cd "$copy/gwmark"
  git config user.name release && git config user.email release@localhost
fi

printf '.. version %s\n' "$version"
npm version "$version" --no-git-tag-version --workspaces --include-workspace-root --allow-same-version --silent >/dev/null
VERSION=$version node --input-type=module -e '
  import { readFileSync, writeFileSync } from "node:fs";
  const { VERSION } = process.env;
  const edit = (file, change) => writeFileSync(file, change(readFileSync(file, "utf8")));
  const ours = ["iptables-wrapper", "nftables-json", "openvpn-management-client"];
  edit("package.json", (text) => {
    const manifest = JSON.parse(text);
    for (const name of ours) manifest.dependencies[name] = `^${VERSION}`;
    return `${JSON.stringify(manifest, null, 2)}\n`;
  });
  edit("docker-compose.yml", (text) => text.replaceAll(/(GWMARK_VERSION:-)[^}]+/g, `$1${VERSION}`));
  const today = new Date().toISOString().slice(0, 10);
  edit("CHANGELOG.md", (text) => text.replace("## [Unreleased]\n", `## [Unreleased]\n\n## [${VERSION}] - ${today}\n`));
'
npm install --package-lock-only --no-audit --no-fund --silent
git commit -qam "Release $version"
git tag -a "v$version" -m "gwmark $version"

printf '.. build\n'
need_node_modules >/dev/null
npm run --silent clean
npm run --silent build
rm -rf "$out" && mkdir -p "$out"
npm pack --silent --pack-destination "$out" . ./packages/* >/dev/null
if command -v dpkg-deb >/dev/null; then
  scripts/package-deb.sh >/dev/null
  cp dist/deb/*_"$version"_*.deb "$out/"
else
  printf 'release: no Debian packages: dpkg-deb is missing\n' >&2
fi
git archive --format=tar.gz --prefix="gwmark-$version/" -o "$out/gwmark-$version-source.tar.gz" "v$version"
npm sbom --sbom-format cyclonedx --omit dev >"$out/gwmark-$version.cdx.json"
(cd "$out" && sha256sum -- * >SHA256SUMS)

printf '\ndist/release:\n'
ls -1 "$out"
[[ $dry_run -eq 0 ]] || exit 0
cat <<END

Nothing was pushed or published. To do that:
  git push origin main v$version
  npm publish dist/release/NAME-$version.tgz   # the three packages first, then gwmark
END
