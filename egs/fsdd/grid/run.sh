#!/usr/bin/env bash
# Which unit, which order, which head? Spoken digits, the same budget for every answer. Give FSDD's folder with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import fsdd)
kind=sound
scorer=../sound/conf/scorer # what judges single systems judges the cells

. ../../../recipes/grid.sh
