#!/usr/bin/env bash
# A speech-to-speech language model on the mini corpus, with nothing to download.
cd "$(dirname "$0")" || exit

prepare=(speechgen data mini --speakers 6 --sentences 40)
seconds=2.4
label=speaker
each=10
guidance=1

. ../../../recipes/sound.sh
