#!/bin/sh
# Stop the gateway that start-ceph-s3.sh started in FOLDER, and remove FOLDER. Harmless when repeated.
set -eu
checkout=$(cd -- "$(dirname -- "$0")/../.." && pwd)
folder=$(realpath -m -- "${1:?usage: stop-ceph-s3.sh FOLDER}")
cd "$checkout"
exec "${PYTHON:-.venv/bin/python}" -m salesbot_pipelines_tests.ceph stop "$folder"
