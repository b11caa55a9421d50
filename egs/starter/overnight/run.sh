#!/usr/bin/env bash
# A cloning voice from the starter set overnight, listener and codec included. Give the corpora with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import starter)
sample_rate=16000 # that of speechocean762; the others have 24000

. ../../../recipes/overnight.sh
