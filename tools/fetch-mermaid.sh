#!/usr/bin/env bash
# fetch-mermaid.sh [DIRECTORY]
#
# Unpacks Mermaid, as npm has it, so that the tests can hold our sources to the program that GitHub
# draws them with: .cache/mermaid unless told otherwise. Says so, and succeeds, where it cannot be
# had: the tests that need it then say why they skip. Nothing of it is run but in a browser of a test.
set -euo pipefail

version=11.17.2
directory=${1:-.cache/mermaid}

give_up() {
  echo "no Mermaid to hold our sources to: $*"
  exit 0
}

[ "$(cat "$directory/.complete" 2>/dev/null)" != "$version" ] || exit 0
for tool in npm tar; do
  command -v "$tool" >/dev/null || give_up "$tool is not here (a package of that name has it)"
done
download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT
echo "fetching mermaid $version"
(cd "$download" && timeout 120 npm pack --silent "mermaid@$version" >log 2>&1) ||
  give_up "npm pack mermaid@$version failed: $(tail -n 1 "$download/log")"
rm -rf "$directory"
mkdir -p "$directory"
tar -xzf "$download/mermaid-$version.tgz" -C "$directory" package/dist/mermaid.min.js package/LICENSE
echo "$version" >"$directory/.complete"
