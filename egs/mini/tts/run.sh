#!/usr/bin/env bash
# A voice on the generated mini corpus, over the codec and the listener of the package.
cd "$(dirname "$0")" || exit

prepare=(speechgen data mini) # synthetic speech by espeak-ng, several voices

. ../../../recipes/tts.sh
