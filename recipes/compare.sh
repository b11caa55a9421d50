# A comparison of voices: units, orders and heads at equal budget. Data and dumps are those of tts.sh.

. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

option corpus "" "folder of the recordings" path
option config conf/compare.yaml "experiments and how each is drawn" path
option set "" "config keys to override in all variants, e.g. 'training.steps=100'"
option sample_rate 16000 "rate of the codec, in Hz" number
option codec speech-16k "codec that makes the units: the name or folder of a model"
option listener listener-16k "listener that aligns the text: the name or folder of a model"
option limit "" "score on so many sentences, spread over all" number
parse_options "$@"

exp=$expdir/$(basename "$config" .yaml)${tag:+_$tag}
read -ra overrides <<< "$set"
models=() # those that are folders, not names, may change
for model in "$codec" "$listener"; do [[ ! -d $model ]] || models+=("$model"); done
device=() # variants are trained one after the other, on one accelerator at most
((ngpu > 0)) || device=(--device cpu)

step 1 prepare "corpus -> data/train, dev and test" ${corpus:+from "$corpus"} to data -- \
  "${prepare[@]}" ${corpus:+--corpus "$corpus"} --out data

step 2 dump "data/ -> dump/: audio, then units with their phonemes" \
  from data "${models[@]}" to dump/train.units dump/dev.units -- \
  speechgen dump audio data/train dump/train --sample_rate "$sample_rate" --nj "$nj"
also -- speechgen dump audio data/dev dump/dev --sample_rate "$sample_rate" --nj "$nj"
also -- speechgen dump units dump/train dump/train.units --codec "$codec" --listener "$listener"
also -- speechgen dump units dump/dev dump/dev.units --codec "$codec" --listener "$listener"

step 3 compare "dump/, data/test -> $exp/: runs, speech, reports; COMPARE.md" \
  from "$config" dump data/test to "$exp/generate" COMPARE.md -- \
  speechgen tts compare "$config" data/test --out "$exp" ${limit:+--limit "$limit"} --nj "$nj" --results COMPARE.md \
  "${device[@]}" --set="model.codec=$codec" --set="model.listener=$listener" "${overrides[@]/#/--set=}"

run_steps "$exp"
