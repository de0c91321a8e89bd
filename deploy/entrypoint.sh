#!/bin/sh
# Compose restarts whatever ends in failure, and cannot leave a code out. Exit 2 (bad settings, a wrong password, a
# signer that is in use) is healed by nobody but the owner: it ends in peace, said out loud, and the container stays down.
# Signals reach the keeper, and it is waited for: a transaction in flight is finished first.
keeper "$@" &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM INT
trap 'kill -HUP "$child" 2>/dev/null' HUP  # settings read anew
wait "$child"
code=$?
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  code=$?
done
if [ "$code" -eq 2 ]; then
  echo 'keeper: bad settings (exit 2): not started again until they are corrected; see the line above' >&2
  exit 0
fi
exit "$code"
