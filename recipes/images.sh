# What recipes on images of labels share: the size of their dumps, and the stage that makes these. For after steps.sh.

option side 28 "pixels of each side" number

# dump_images [OPTION...]: with options of the verb; after parse_options.
dump_images() {
  local split
  step 2 dump "data/ -> dump/: images at one size" from data to dump/train dump/dev dump/test -- \
    speechgen dump images data/train dump/train --side "$side" "$@"
  for split in dev test; do
    also -- speechgen dump images "data/$split" "dump/$split" --side "$side" "$@"
  done
}
