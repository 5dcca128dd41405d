#!/bin/sh
# Map every pair of a folder: BEFORE/NAME.tif and AFTER/NAME.tif to OUT/NAME.
# Usage: sh examples/map_many.sh BEFORE AFTER OUT [options of scd predict]
# A pair that fails is named and the others go on; the exit code is 1 if any failed.
before=$1 after=$2 out=$3
shift 3
mkdir -p "$out"
failed=0
for image in "$before"/*.tif; do
    name=$(basename "$image" .tif)
    scd predict "$image" "$after/$name.tif" -o "$out/$name" -q "$@" || {
        echo "failed: $name" >&2
        failed=1
    }
done
exit $failed
