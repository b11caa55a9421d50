#!/usr/bin/env bash
# Emoji from captions, learned from FxEmojis.
cd "$(dirname "$0")" || exit

prepare=(speechgen image prepare fxemoji)
side=32
channels=3
judge=clip
tokenizer=none
each=4
guidance=2
licence=CC-BY-4.0
asked=(--caption "cat face" --caption "red heart" --caption "smiling face")

. ../../../recipes/image.sh
