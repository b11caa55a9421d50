# An ablation of a codec: variants of one experiment at equal budget. Data and dumps are those of codec.sh.

. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

option corpus "" "folder of the recordings" path
option config conf/ablation.yaml "base experiment and variants" path
option set "" "config keys to override in all variants, e.g. 'training.steps=100'"
option sample_rate 16000 "rate of the dump, in Hz" number
option kbps 1.5,3,6 "bitrates to score at, in kbit/s"
option baselines opus "codecs to score beside them"
option limit "" "score on so many recordings, spread over all" number
parse_options "$@"

exp=$expdir/$(basename "$config" .yaml)${tag:+_$tag}
read -ra overrides <<< "$set"
device=() # variants are trained one after the other, on one accelerator at most
((ngpu > 0)) || device=(--device cpu)

step 1 prepare "corpus -> data/train, dev and test" ${corpus:+from "$corpus"} to data -- \
  "${prepare[@]}" ${corpus:+--corpus "$corpus"} --out data

step 2 dump "data/ -> dump/: audio at one rate, in shards" from data to dump/train dump/dev -- \
  speechgen dump audio data/train dump/train --sample_rate "$sample_rate" --nj "$nj"
also -- speechgen dump audio data/dev dump/dev --sample_rate "$sample_rate" --nj "$nj"

step 3 ablate "dump/, data/test -> $exp/: runs, curves, report; ABLATION.md" \
  from "$config" dump data/test to "$exp/curves.csv" "$exp/generate/report.json" ABLATION.md -- \
  speechgen codec ablate "$config" data/test --out "$exp" --kbps "$kbps" --baselines "$baselines" \
  ${limit:+--limit "$limit"} --nj "$nj" --results ABLATION.md "${device[@]}" "${overrides[@]/#/--set=}"

run_steps "$exp"
