# A voice: from a corpus, a codec and a listener to a packed TTS with its scores.

. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

option corpus "" "folder of the recordings" path
option config conf/tts.yaml "experiment to train" path
option set "" "config keys to override, e.g. 'training.steps=100 task.batch=8'"
option sample_rate 16000 "rate of the codec, in Hz" number
option codec speech-16k "codec that makes the units: the name or folder of a model"
option listener listener-16k "listener that aligns the text: the name or folder of a model"
option speed_perturb_factors "" "train also on copies at these speeds, as other speakers', e.g. 0.9,1.1"
option perturbed_speakers "" "have such copies of these speakers only: a name, or a pattern with * (of all)"
option text "The first sentence of a new voice." "sentence of the demo"
option before "" "model that training goes on from, and that is scored beside it on voices of others, too"
option others "" "data directory of other speakers to judge by, whose voices must not be lost (made by espeak-ng)" path
option max_bad "" "share of recordings that may be bad and are left out (0.05)"
option prompt "" "recording whose voice the demo has (the voice that comes with the package)" path
results_option
option name "" "what the packed model is called (else: as its experiment)"
option licence "" "licence of the packed weights, which the recordings allow"
parse_options "$@"

exp=$expdir/$(basename "$config" .yaml)${tag:+_$tag}
read -ra overrides <<< "$set"
place_results tts
models=() # those that are folders, not names, may change
for model in "$codec" "$listener"; do [[ ! -d $model ]] || models+=("$model"); done
bad=(${max_bad:+--max_bad "$max_bad"})
test=data/test${before:+_and_others}

step 1 prepare "corpus -> data/train, dev and test" ${corpus:+from "$corpus" ${others:+"$others"}} to data -- \
  "${prepare[@]}" ${corpus:+--corpus "$corpus"} --out data
if [[ ${check:-false} == true ]]; then # run.sh asks for it where nobody knows the recordings yet
  for split in train dev test; do also -- speechgen data check "data/$split" "${bad[@]}" --nj "$nj"; done
fi
if [[ -n $before ]]; then
  [[ -n $others ]] || also -- speechgen data mini --out data/others --speakers 6 --sentences 40
  also -- speechgen data combine "$test" data/test "${others:-data/others/test}"
fi

step 2 dump "data/ -> dump/: audio, then units with their phonemes" \
  from data "${models[@]}" to dump/train.units dump/dev.units -- \
  speechgen dump audio data/train dump/train --sample_rate "$sample_rate" "${bad[@]}" --nj "$nj"
also -- speechgen dump audio data/dev dump/dev --sample_rate "$sample_rate" "${bad[@]}" --nj "$nj"
also -- speechgen dump units dump/train dump/train.units --codec "$codec" --listener "$listener" \
  ${speed_perturb_factors:+--speed_perturb_factors "$speed_perturb_factors"} \
  ${perturbed_speakers:+--perturbed_speakers "$perturbed_speakers"}
also -- speechgen dump units dump/dev dump/dev.units --codec "$codec" --listener "$listener"

step 3 train "dump/ -> $exp/: checkpoints, tensorboard" from "$config" dump to "$exp/checkpoints" "$exp/config.yaml" -- \
  "${launch[@]}" speechgen train "$config" --exp "$exp" \
  --set="model.codec=$codec" --set="model.listener=$listener" "${overrides[@]/#/--set=}"

step 4 generate "$test -> $exp/generate/: its sentences said" from "$exp/checkpoints" "$test" \
  to "$exp/generate" ${before:+"$exp/before"} -- \
  speechgen tts generate "$exp" "$test" --out "$exp/generate"
[[ -z $before ]] || also -- speechgen tts generate "$before" "$test" --out "$exp/before"

step 5 score "$exp/generate/ -> $results" \
  from "$exp/checkpoints" "$exp/generate/generate.json" to "$exp/generate/report.json" "$results" -- \
  speechgen tts score "$exp/generate" ${before:+--before "$exp/before"} --results "$results" --nj "$nj"

step 6 pack "$exp/ -> $exp/packed/: config, weights, card" \
  from "$exp/checkpoints" "$exp/generate/report.json" to "$exp/packed" -- \
  speechgen pack "$exp" --out "$exp/packed" --name "${name:-$(basename "$exp")}" --licence "$licence"

step 7 demo "one sentence -> $exp/demo.wav" from "$exp/packed" to "$exp/demo.wav" -- \
  speechgen say "$text" --model "$exp/packed" ${prompt:+--prompt "$prompt"} -o "$exp/demo.wav"

run_steps "$exp"
