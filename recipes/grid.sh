# A grid: generators of one backbone and one budget that differ in unit, order or head. run.sh says how the data is made
# and of what kind it is, image or sound.

. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

option corpus "" "folder of the corpus" path
option config conf/grid.yaml "base experiment, cells, sweeps, questions" path
option set "" "config keys to override in all cells, e.g. 'training.steps=100'"
option parts "" "config keys to override in the classifier and the tokenizers"
. "$(dirname "${BASH_SOURCE[0]}")/${kind}s.sh"
results_option GRID.md
parse_options "$@"

exp=$expdir/$(basename "$config" .yaml)${tag:+_$tag}
place_results grid
read -ra overrides <<< "$set"
read -ra part_overrides <<< "$parts"
scorer=${scorer:-conf/scorer} # where the config of what judges lies
heard=() units=()             # what a dump of sounds says of itself, to the classifier and to the cells
against=()                    # what distances of sounds are measured from
trained=()                    # tokenizers that the cells need
found=()                      # where these lie
device=()                     # cells are trained one after the other, on one accelerator at most
((ngpu > 0)) || device=(--device cpu)

step 1 prepare "corpus -> data/train, dev and test" ${corpus:+from "$corpus"} to data -- \
  "${prepare[@]}" ${corpus:+--corpus "$corpus"} --out data

"dump_${kind}s"
[[ $kind == image ]] || against=(--train dump/train --label "$label")
[[ ! -d conf/tokenizer ]] || trained=(conf/tokenizer) found=(--tokenizers "$expdir/tokenizer")

step 3 parts "dump/ -> $expdir/: the classifier that judges, and tokenizers where they are trained" \
  from "$scorer" "${trained[@]}" dump to "$expdir/classifier/checkpoints" "${trained[@]/#conf/$expdir}" -- \
  "${launch[@]}" speechgen train "$scorer/classifier.yaml" --exp "$expdir/classifier" "${heard[@]}" \
  "${part_overrides[@]/#/--set=}"
for part in ${trained:+conf/tokenizer/*.yaml}; do
  also -- "${launch[@]}" speechgen train "$part" --exp "$expdir/tokenizer/$(basename "$part" .yaml)" \
    "${part_overrides[@]/#/--set=}"
done

step 4 grid "dump/ -> $exp/: a run for each cell, pictures; GRID.md" \
  from "$config" conf/cell.yaml dump "$expdir/classifier/checkpoints" "${trained[@]/#conf/$expdir}" \
  to "$exp/grid.json" "$results" -- \
  speechgen grid "$config" --test dump/test --classifier "$expdir/classifier" --out "$exp" \
  --results "$results" "${device[@]}" "${against[@]}" "${found[@]}" "${units[@]}" "${overrides[@]/#/--set=}"

run_steps "$exp"
