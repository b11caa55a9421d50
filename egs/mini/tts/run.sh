#!/usr/bin/env bash
# A voice on the generated mini corpus, over the codec and the listener of the package.
cd "$(dirname "$0")" || exit

prepare=(speechgen data mini --speakers 6 --sentences 40) # English and German by espeak-ng

. ../../../recipes/tts.sh
