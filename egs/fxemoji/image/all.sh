#!/usr/bin/env bash
# Every named system of this recipe, and what became of them in docs/systems. Takes the options of run.sh.
recipe=egs/fxemoji/image
. "$(dirname "$0")/../../../recipes/systems.sh"
