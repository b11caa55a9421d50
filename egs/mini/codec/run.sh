#!/usr/bin/env bash
# A codec on the generated mini corpus: a minute or two on two cores, nothing to download.
cd "$(dirname "$0")" || exit

prepare=(speechgen data mini) # synthetic speech by espeak-ng, several voices
kbps=1,2                      # of a codec this small

. ../../../recipes/codec.sh
