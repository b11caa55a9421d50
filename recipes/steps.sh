# The engine of every recipe: options and stages. It knows nothing about speech.
#
#   option NAME DEFAULT "what it is" [path|number]   a shell variable that --NAME VALUE sets; a value that run.sh gave
#                                        it wins over DEFAULT
#   flag NAME "what it does"             a shell variable that is false until --NAME is given
#   results_option [FILE], place_results NAME   the option --results, and where results go if it is not given
#   parse_options "$@"                   reads the command line; sets the array launch, for commands that train
#   one_of OPTION FOLDER [WORD]          after it: stops unless the option is WORD, or FOLDER has it as a .yaml
#   step N NAME "what it does" [from PATH...] to PATH... -- COMMAND...
#   also -- COMMAND...                   one more command of the same stage
#   run_steps FOLDER                     runs, in order, the stages that are not done; FOLDER is locked meanwhile
#
# A stage runs again when its command has changed since it finished, or what it reads (from), or when something that
# it makes (to) is gone. It must not write into what it reads, except to paths named after "to".

set -euo pipefail

steps_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
steps_program=$(basename "$0")
OLDPWD=${OLDPWD:-$PWD} # where the user stood before run.sh changed to its own folder
steps_lines=() # for Python: step COUNT WORDS... also COUNT WORDS...
steps_help=()
option_names=()
declare -A option_kind=() option_meaning=() option_default=()

# A checkout's own environment serves until another is activated.
if [[ -z ${VIRTUAL_ENV:-} && -x $steps_root/.venv/bin/speechgen-stages ]]; then
  PATH=$steps_root/.venv/bin:$PATH
fi

# Settings of memory and threads that every command shall inherit are exported here (see docs/training.md).

stop() {
  printf '%s: error: %s\n' "$steps_program" "$1" >&2
  exit 2
}

# option and flag use positional parameters only: a local variable would hide an option of its name.
option() {
  [[ -n ${!1+set} ]] || declare -g -- "$1=$2"
  option_names+=("$1") option_default[$1]=${!1} option_meaning[$1]=$3 option_kind[$1]=${4:-value}
}

flag() {
  declare -g -- "$1=false"
  option_names+=("$1") option_default[$1]= option_meaning[$1]=$2 option_kind[$1]=flag
}

parse_options() {
  option stage "" "first stage to run, by number or name"
  option stop_stage "" "last stage to run, by number or name"
  option nj "$(getconf _NPROCESSORS_ONLN)" "processes to prepare data with" number
  option ngpu 1 "accelerators to train with, where there are any; 0: none" number
  option expdir exp "folder of the experiments" path
  option tag "" "told apart by this, experiments with the same config lie side by side"
  flag list "show the stages and which of them are done"
  flag dry_run "show the commands that would run, and why"
  flag force "run stages that are done, too"
  flag help "show this"
  local steps_name steps_value
  while (($#)); do
    [[ $1 == --[a-z]* ]] || stop "unexpected '$1': options begin with --"
    steps_name=${1%%=*} steps_name=${steps_name#--} steps_name=${steps_name//-/_}
    if [[ -z ${option_kind[$steps_name]:-} ]]; then
      need_speechgen
      exec speechgen-stages --program "$steps_program" unknown "$steps_name" "${option_names[@]}"
    elif [[ ${option_kind[$steps_name]} == flag ]]; then
      [[ $1 != *=* ]] || stop "--$steps_name takes no value"
      steps_value=true
    elif [[ $1 == *=* ]]; then
      steps_value=${1#*=}
    elif (($# > 1)) && [[ $2 != --[a-z]* ]]; then
      steps_value=$2
      shift
    else
      stop "--$steps_name needs a value"
    fi
    case ${option_kind[$steps_name]} in
      number) [[ $steps_value =~ ^[0-9]+$ ]] || stop "--$steps_name $steps_value: expected a whole number" ;;
      path) steps_value=$(place "$steps_value") ;;
    esac
    declare -g -- "$steps_name=$steps_value"
    shift
  done
  launch=() # goes before a command that trains
  ((ngpu > 0)) || launch=(env CUDA_VISIBLE_DEVICES=)
  ((ngpu < 2)) || launch=(torchrun --standalone --nproc_per_node "$ngpu" --no-python)
}

# A path is taken from where the user stands, unless only the recipe's folder has such a file.
place() {
  if [[ -z $1 || $1 == /* || $OLDPWD == "$PWD" ]] || [[ -e $1 && ! -e $OLDPWD/$1 ]]; then
    printf %s "$1"
  else
    printf %s "$OLDPWD/$1"
  fi
}

# The table of scores of a recipe's usual experiment lies beside its README, and that of any other in its own folder.
results_option() { # FILE: what the table is called, RESULTS.md
  results_file=${1:-RESULTS.md}
  option results "" "the table of scores ($results_file; of another config or with a tag, inside its folder)" path
}

place_results() { # USUAL, the name of that experiment; $exp is the one that runs
  [[ -z $results ]] || return 0
  results=$results_file
  [[ $exp == "$expdir/$1" ]] || results=$exp/$results_file
}

one_of() {
  [[ ${!1} != "${3:-}" && ! -f $2/${!1}.yaml ]] || return 0
  local steps_name steps_known=("$2"/*.yaml)
  steps_known=("${steps_known[@]##*/}")
  steps_known=("${steps_known[@]/%.yaml/,}")
  steps_name=${steps_known[*]}
  stop "--$1 ${!1}: there is no $2/${!1}.yaml; known: ${3:+$3, }${steps_name%,}"
}

step() {
  steps_lines+=(step "$#" "$@")
  steps_help+=("$(printf '%3s %-12s %s' "$1" "$2" "$3")")
}

also() {
  steps_lines+=(also "$#" "$@")
}

run_steps() {
  if [[ $help == true ]]; then
    show_help
    exit
  fi
  need_speechgen
  local steps_options=(--experiment="$1" --stage="$stage" --stop_stage="$stop_stage")
  [[ $force == false ]] || steps_options+=(--force)
  [[ $list == false ]] || steps_options+=(--mode=list)
  [[ $dry_run == false ]] || steps_options+=(--mode=dry_run)
  exec speechgen-stages --program "$steps_program" run "${steps_options[@]}" "${steps_lines[@]}"
}

show_help() {
  printf 'usage: %s [--option value]...\n' "$steps_program"
  sed -n '2s/^# *//p' "$steps_program"
  printf '\nstages:\n'
  printf '%s\n' "${steps_help[@]}"
  printf '\noptions:\n'
  local steps_name
  for steps_name in "${option_names[@]}"; do
    printf '  --%-14s %s%s\n' "$steps_name" "${option_meaning[$steps_name]}" \
      "${option_default[$steps_name]:+ (${option_default[$steps_name]})}"
  done
}

need_speechgen() {
  command -v speechgen-stages > /dev/null || stop "speechgen is not installed; run 'make test' in $steps_root"
}
