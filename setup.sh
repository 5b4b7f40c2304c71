#!/usr/bin/env bash
# Makes .venv from the lock, or renews it where the lock or the interpreter has changed; else it costs only a look.
# PYTHON names the interpreter to use, GPU=1 adds the CUDA libraries.
set -euo pipefail
cd "$(dirname "$0")"

fail() {
  echo "error: $*" >&2
  exit 1
}

# Prints the real path and the version of interpreter $1 if it runs here and one of the two lanes fits it.
usable() {
  "$1" - 2> /dev/null << 'END'
import os, platform, sys

libc, libc_version = platform.libc_ver()
if (sys.platform, platform.machine(), libc) != ("linux", "x86_64", "glibc"):
    sys.exit(1)
lane_a = sys.version_info[:2] == (3, 10)
lane_b = (3, 11) <= sys.version_info[:2] <= (3, 13) and tuple(map(int, libc_version.split("."))) >= (2, 39)
if not (lane_a or lane_b):
    sys.exit(1)
print(os.path.realpath(sys.executable), "%d.%d" % sys.version_info[:2])
END
}

find_python() {
  local version python
  if [[ ${PYTHON:-} ]]; then
    usable "$PYTHON" && return
  else
    for version in 3.10 3.13 3.12 3.11; do
      # pyenv's own folder is looked at too: a shell that never loaded pyenv does not have it on the PATH.
      for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
        usable "$python" && return
      done
    done
  fi
  fail "${PYTHON:+PYTHON=$PYTHON cannot run this: }x86_64 Linux with Python 3.10 is needed (try: pyenv install 3.10)," \
    "or with Python 3.11 to 3.13 where glibc is 2.39 or newer (Debian 13, Ubuntu 24.04)"
}

# Tells in one line which system packages are missing, instead of in a compiler's words later.
check_system() {
  local missing=()
  "$python" -c 'import ensurepip, venv' 2> /dev/null || missing+=("python$version-venv")
  if [[ $version != 3.10 ]]; then # pyfarmhash has a wheel for 3.10 and is compiled for all later ones
    command -v "${CXX:-g++}" > /dev/null || missing+=(g++)
    "$python" -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' 2> /dev/null ||
      missing+=("python$version-dev")
  fi
  [[ ${#missing[@]} == 0 ]] || fail "$python needs more from the system: apt-get install ${missing[*]}"
}

pip_install() {
  local log=.venv/install.log
  .venv/bin/python -m pip --disable-pip-version-check install --no-deps --require-hashes "$@" >> "$log" 2>&1 ||
    fail "pip could not install the packages: $(grep -i '^ *error' "$log" | tail -n 1) (all of it: $log)"
}

found=$(find_python)
read -r python version <<< "$found"
locks=(requirements.lock)
if [[ ${GPU:-} == 1 || -e .venv/gpu ]]; then # an environment with the CUDA libraries keeps them when it is renewed
  locks+=(requirements-gpu.lock)
fi
stamp="$python $(cat "${locks[@]}" | sha256sum)"
if [[ -e .venv/stamp && $(< .venv/stamp) == "$stamp" ]]; then
  exit
fi

check_system
echo "Making .venv with Python $version ($python)"
rm -f .venv/stamp # written last: whatever stops this half-way, the environment does not count as made
"$python" -m venv --clear .venv
if [[ ${#locks[@]} == 2 ]]; then
  touch .venv/gpu
fi
echo "Installing the packages of ${locks[*]}, some minutes the first time (log: .venv/install.log)"
# The few packages without a wheel are built with the locked setuptools, not with the newest of the day.
pip_install -r <(sed -n '/^\(setuptools\|wheel\)==/,/[^\\]$/p' requirements.lock)
pip_install --no-build-isolation "${locks[@]/#/-r}"
echo "$stamp" > .venv/stamp
echo "Ready in $SECONDS s"
