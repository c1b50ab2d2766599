main() {
	mask=$(umask)
	umask 077
	dir="$HOME/.local/state/actionctl/commands/$1"
	echo
	echo 'actionctl-command 1'
	command -v timeout >/dev/null || { echo 'refused there is no program timeout'; echo end; return; }
	script="$dir/script.$$"
	if ! { mkdir -p "$dir" && printf '%s\n' "$4" >"$script"; } 2>/dev/null; then
		rm -f "$script"
		echo "refused $dir can't be written to"
		echo end
		return
	fi
	detach=$(command -v setsid)
	# Whoever makes the link runs the command, once, whatever becomes of the others.
	nohup $detach /bin/sh -c '
		dir=$1 script=$2 limit=$3 digest=$4 mask=$5
		echo "$$ $digest" >"$dir/try.$$" && ln "$dir/try.$$" "$dir/started"
		won=$?
		rm -f "$dir/try.$$"
		[ "$won" = 0 ] || { rm -f "$script"; exit; }
		sync "$dir/started" "$dir" || sync
		cd "$HOME"
		umask "$mask"
		timeout -k 10 "$limit" /bin/sh "$script" >"$dir/stdout" 2>"$dir/stderr"
		echo "$?" >"$dir/status.new"
		mv "$dir/status.new" "$dir/status"
		rm -f "$script"
	' actionctl-command "$dir" "$script" "$2" "$3" "$mask" </dev/null >/dev/null 2>&1 &
	echo launched
	echo end
}
