#!/bin/sh
# Start a Ceph object gateway with TLS on 127.0.0.1, to try the program against a real store.
#
#   settings=$(start-ceph-s3.sh FOLDER) && eval "$settings"
#   stop-ceph-s3.sh FOLDER
#
# FOLDER is new or empty; objects live in memory and are gone after the stop. Prints the five SPACES_
# variables and AWS_CA_BUNDLE as shell lines. In two steps, because eval "$(...)" hides a failed start.
set -eu
checkout=$(cd -- "$(dirname -- "$0")/../.." && pwd)
folder=$(realpath -m -- "${1:?usage: start-ceph-s3.sh FOLDER}")
cd "$checkout"
exec "${PYTHON:-.venv/bin/python}" -m salesbot_pipelines_tests.ceph start "$folder"
