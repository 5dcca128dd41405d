#!/bin/sh
# Map every pair of two folders: BEFORE/NAME.tif and AFTER/NAME.tif to OUT/NAME.
# Usage: sh examples/map_many.sh BEFORE AFTER OUT [options of scd predict]
# It writes the table of pairs that scd predict reads; a pair that fails stops no other.
before=$1 after=$2 out=$3
shift 3
{
    echo before,after,output
    for image in "$before"/*.tif; do
        name=$(basename "$image" .tif)
        printf '"%s","%s","%s"\n' "$image" "$after/$name.tif" "$name"
    done
} | scd predict --pairs - -o "$out" "$@"
