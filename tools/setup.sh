#!/bin/sh
# All set-up on a machine with Python 3.11 or newer: the environment, Node, the CDK command line. Does nothing when it is up to date.
# usage: tools/setup.sh [checkers]   (checkers: also checkov and the notebooks' programs, which the test suite runs in environments of their own)
set -eu
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "Python 3.11 or newer is needed, '$python' is $("$python" --version 2>&1); set PYTHON=/path/to/python3.11" >&2
  exit 1
}
state=$(cat requirements/dev.txt requirements/uv.txt pyproject.toml package-lock.json containers/tabular/requirements.txt tools/setup.sh | cksum)
if [ "$(cat .venv/.ready 2>/dev/null)" != "$state" ]; then
  echo "Setting up .venv (once)"
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
  .venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes requirements/dev.txt
  .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
  echo "Setting up the CDK command line (once)"
  PATH="$PWD/.venv/bin:$PATH" npm ci --silent --no-audit --no-fund
  # Byte code now rather than in the first run: importing aws_cdk without it takes a second longer.
  .venv/bin/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true
  # And aws-cdk-lib unpacked for the CDK's JavaScript, which takes five seconds otherwise.
  PATH="$PWD/.venv/bin:$PATH" JSII_RUNTIME_PACKAGE_CACHE_ROOT="$PWD/.venv/.cache/jsii" .venv/bin/python -c 'import aws_cdk; aws_cdk.App()'
  # The packages of the example container, so that its image can be run without a container engine and offline.
  PATH="$PWD/.venv/bin:$PATH" .venv/bin/python -m mlops.container prepare containers/tabular
  echo "$state" >.venv/.ready
fi
[ "${1:-}" = checkers ] || exit 0
for name in checkov notebook; do
  state=$(cksum <"requirements/$name.txt")
  [ "$(cat ".venv-$name/.ready" 2>/dev/null)" != "$state" ] || continue
  echo "Setting up .venv-$name (once)"
  .venv/bin/uv venv --quiet --clear --python .venv/bin/python ".venv-$name"
  .venv/bin/uv pip sync --quiet --python ".venv-$name/bin/python" --require-hashes "requirements/$name.txt"
  echo "$state" >".venv-$name/.ready"
done
