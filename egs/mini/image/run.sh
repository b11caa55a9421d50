#!/usr/bin/env bash
# Images of digits on scikit-learn's 8 x 8 pixels, with nothing to download.
cd "$(dirname "$0")" || exit

prepare=(speechgen image prepare digits)
side=8

. ../../../recipes/image.sh
