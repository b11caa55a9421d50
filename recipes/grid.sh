# A grid: generators of one backbone and one budget that differ in unit, order or head. run.sh says how the data is made.

. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

option corpus "" "folder of the corpus" path
option config conf/grid.yaml "base experiment, cells, sweeps, questions" path
option set "" "config keys to override in all cells, e.g. 'training.steps=100'"
option parts "" "config keys to override in the classifier and the tokenizers"
option side 28 "pixels of each side" number
parse_options "$@"

exp=$expdir/$(basename "$config" .yaml)${tag:+_$tag}
read -ra overrides <<< "$set"
read -ra part_overrides <<< "$parts"
device=() # cells are trained one after the other, on one accelerator at most
((ngpu > 0)) || device=(--device cpu)

step 1 prepare "corpus -> data/train, dev and test" ${corpus:+from "$corpus"} to data -- \
  "${prepare[@]}" ${corpus:+--corpus "$corpus"} --out data

step 2 dump "data/ -> dump/: images at one size" from data to dump/train dump/dev dump/test -- \
  speechgen dump images data/train dump/train --side "$side"
also -- speechgen dump images data/dev dump/dev --side "$side"
also -- speechgen dump images data/test dump/test --side "$side"

step 3 parts "dump/ -> $expdir/: the classifier that judges, and the tokenizers" \
  from conf/scorer conf/tokenizer dump to "$expdir/classifier/checkpoints" "$expdir/tokenizer" -- \
  "${launch[@]}" speechgen train conf/scorer/classifier.yaml --exp "$expdir/classifier" "${part_overrides[@]/#/--set=}"
for tokenizer in conf/tokenizer/*.yaml; do
  also -- "${launch[@]}" speechgen train "$tokenizer" --exp "$expdir/tokenizer/$(basename "$tokenizer" .yaml)" \
    "${part_overrides[@]/#/--set=}"
done

step 4 grid "dump/ -> $exp/: a run for each cell, pictures; GRID.md" \
  from "$config" conf/cell.yaml dump "$expdir/classifier/checkpoints" "$expdir/tokenizer" to "$exp/grid.json" GRID.md -- \
  speechgen grid "$config" --test dump/test --classifier "$expdir/classifier" --out "$exp" --results GRID.md \
  "${device[@]}" "${overrides[@]/#/--set=}"

run_steps "$exp"
