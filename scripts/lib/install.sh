# Sourced by scripts/test, scripts/quickstart and .ci/run after they set `root`. Everything it says goes to
# stderr, so that a caller's stdout stays the program's own.

# Tests and the build use Node's single-file support and run TypeScript directly.
readonly REQUIRED_NODE_MAJOR=26

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

# Installs the packages when there are none, or when the lockfile is newer than what is installed.
# npm writes node_modules/.package-lock.json last, so an interrupted install counts as none.
install_packages() {
  local installed="$root/node_modules/.package-lock.json"
  if [ -f "$installed" ] && [ ! "$root/package-lock.json" -nt "$installed" ]; then return; fi
  command -v npm >/dev/null || fail "npm is missing; install Node.js with npm (any version from 20 on), then run this again"
  say "installing packages (npm ci) …"
  (cd "$root" && npm ci --no-progress --loglevel=error >&2) ||
    fail "npm ci failed; see above, check the network, then run this again"
  touch "$installed"
}

# Puts the project's own tools, Node among them, before the machine's, and refuses a Node that is too old.
use_project_node() {
  export PATH="$root/node_modules/.bin:$PATH"
  local version
  version=$(node --version 2>/dev/null) || version=""
  [ -n "$version" ] || fail "Node is missing; install Node $REQUIRED_NODE_MAJOR or later, then run this again"
  local major=${version#v}
  major=${major%%.*}
  [ "$major" -ge "$REQUIRED_NODE_MAJOR" ] ||
    fail "this needs Node $REQUIRED_NODE_MAJOR or later, and $(command -v node) is $version; on Linux x64 and arm64 'npm ci' brings it (optional dependencies must not be omitted), elsewhere install it from nodejs.org"
}

# ensure_command COMMAND PACKAGE: installs a Debian package where its command is missing and this may be done.
ensure_command() {
  command -v "$1" >/dev/null && return
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    say "installing $2 (apt-get) …"
    { apt-get update -qq && apt-get install -y -qq "$2"; } >&2 || fail "apt-get could not install $2; install it by hand"
  else
    fail "the command $1 is missing; install it (Debian: apt-get install $2), then run this again"
  fi
}
