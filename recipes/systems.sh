# Every named system of a recipe, one after the other. Options go to all of them; all.sh says which recipe.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[[ -n ${VIRTUAL_ENV:-} || ! -x $root/.venv/bin/speechgen ]] || PATH=$root/.venv/bin:$PATH
mapfile -t commands < <(speechgen systems --commands "$recipe")
for command in "${commands[@]}"; do
  read -ra words <<< "$command"
  printf '%s\n' "$command"
  "$root/${words[0]}" "${words[@]:1}" "$@"
done
[[ " $* " == *" --dry_run "* ]] || (cd "$root" && speechgen systems --gallery docs/systems)
