# From recordings to a cloning voice, its listener and its codec included, in so many hours: listener, codec and TTS are
# trained one after the other, each on what the one before has made. Everything lies in one folder.

. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

option corpus "" "folder of the recordings" path
option hours 10 "hours for all of it: 10 % train the listener, 35 % the codec, 40 % the voice, the rest is other work"
option device "" "cpu, cuda, or what there is"
option listener_config ../listener/conf/listener.yaml "experiment of the listener" path
option codec_config ../codec/conf/codec.yaml "experiment of the codec" path
option voice_config ../tts/conf/tts.yaml "experiment of the voice" path
option set "" "config keys to override in all three, e.g. 'training.checkpoint_minutes=1'"
option sample_rate 16000 "rate of all three, in Hz" number
option kbps 1.5,3,6 "bitrates to score the codec at, in kbit/s"
option limit 100 "score each on so many recordings, spread over all" number
option page "" "Markdown page to write (overnight.md beside the runs)" path
parse_options "$@"

[[ $hours =~ ^[0-9]*\.?[0-9]+$ ]] || stop "--hours $hours: expected a number"
[[ $device != cuda || $dry_run == true || $help == true ]] || nvidia-smi -L > /dev/null 2>&1 ||
  stop "no GPU here; leave out --device cuda and give the CPU its hours: make overnight"
exp=$expdir/overnight${tag:+_$tag}
test=$exp/data/test
models=$(realpath -m "$exp") # so that the voice finds its codec wherever it is called from
read -ra overrides <<< "$set"

part_of() { LC_ALL=C awk -v all="$1" -v share="$2" 'BEGIN { print all * share }'; }
# train RUN CONFIG SHARE SUFFIX: the command that trains for this share of the hours; ten evaluations an --hours.
train() {
  training=("${launch[@]}" speechgen train "$2" --exp "$exp/$1" ${device:+--device "$device"}
    --set="data.train=$exp/dump/train$4" --set="data.dev=$exp/dump/dev$4" --set="training.hours=$(part_of "$hours" "$3")"
    --set="training.evaluate_minutes=$(part_of "$hours" 6)" "${overrides[@]/#/--set=}")
}

step 1 prepare "corpus -> $exp/data/" ${corpus:+from "$corpus"} to "$exp/data" -- \
  "${prepare[@]}" ${corpus:+--corpus "$corpus"} --out "$exp/data"

step 2 dump "data/ -> dump/: audio at one rate, in shards" from "$exp/data" to "$exp/dump/train" "$exp/dump/dev" -- \
  speechgen dump audio "$exp/data/train" "$exp/dump/train" --sample_rate "$sample_rate" --nj "$nj"
also -- speechgen dump audio "$exp/data/dev" "$exp/dump/dev" --sample_rate "$sample_rate" --nj "$nj"

train listener "$listener_config" 0.1 ""
step 3 listener "dump/ -> listener/: trained, scored, packed" from "$listener_config" "$exp/dump/train" "$exp/dump/dev" \
  to "$exp/listener/checkpoints" "$exp/listener/packed" -- "${training[@]}"
also -- speechgen listener generate "$exp/listener" "$test" --limit "$limit" --out "$exp/listener/generate"
also -- speechgen listener score "$exp/listener/generate" --results "$exp/listener/RESULTS.md"
also -- speechgen pack "$exp/listener" --out "$exp/listener/packed"

train codec "$codec_config" 0.35 ""
step 4 codec "dump/ -> codec/: trained, scored, packed" \
  from "$codec_config" "$exp/dump/train" "$exp/dump/dev" "$exp/listener/packed" \
  to "$exp/codec/checkpoints" "$exp/codec/packed" -- "${training[@]}" --set="task.perceptual.model=$exp/listener/packed"
also -- speechgen codec eval "$test" --model "$exp/codec" --kbps "$kbps" --generations 1 --out "$exp/codec/generate" \
  --limit "$limit" --nj "$nj" --results "$exp/codec/RESULTS.md"
also -- speechgen pack "$exp/codec" --out "$exp/codec/packed"

units=(--codec "$exp/codec/packed" --listener "$exp/listener/packed")
step 5 units "dump/ -> dump/*.units: latents, codes, phonemes in time" \
  from "$exp/dump/train" "$exp/dump/dev" "$exp/listener/packed" "$exp/codec/packed" \
  to "$exp/dump/train.units" "$exp/dump/dev.units" -- \
  speechgen dump units "$exp/dump/train" "$exp/dump/train.units" "${units[@]}"
also -- speechgen dump units "$exp/dump/dev" "$exp/dump/dev.units" "${units[@]}"

train voice "$voice_config" 0.4 .units
step 6 voice "dump/*.units -> voice/: trained, scored, packed" \
  from "$voice_config" "$exp/dump/train.units" "$exp/dump/dev.units" to "$exp/voice/checkpoints" "$exp/voice/packed" -- \
  "${training[@]}" --set="model.codec=$models/codec/packed" --set="model.listener=$models/listener/packed"
also -- speechgen tts eval "$exp/voice" "$test" --out "$exp/voice/generate" --limit "$limit" --nj "$nj" \
  --results "$exp/voice/RESULTS.md"
also -- speechgen pack "$exp/voice" --out "$exp/voice/packed"

step 7 page "all of it -> ${page:=$exp/overnight.md}" \
  from "$exp/listener/packed" "$exp/codec/packed" "$exp/voice/packed" to "$page" -- \
  speechgen journal "$exp" --out "$page" --title "From recordings to a voice in $hours hours"

run_steps "$exp"
