main() {
	dir="$HOME/.local/state/actionctl/commands/$1"
	hex() { tail -c "$2" "$1" 2>/dev/null | od -An -v -tx1 | tr -d ' \n'; }
	echo
	echo 'actionctl-command 1'
	[ -d "$HOME" ] && [ -w "$HOME" ] && echo 'home yes'
	command -v timeout >/dev/null && echo 'timeout yes'
	if [ -f "$dir/started" ]; then
		read -r pid digest <"$dir/started"
		echo "digest $digest"
		# The status is read last: what ended in between has one.
		if [ -r /proc/self/cmdline ]; then
			grep -q "$1" "/proc/$pid/cmdline" 2>/dev/null && echo 'alive yes'
		else
			kill -0 "$pid" 2>/dev/null && echo 'alive yes'
		fi
		if [ -f "$dir/status" ]; then
			read -r status <"$dir/status"
			echo "status $status"
		fi
		echo "stdout $(hex "$dir/stdout" 8193)"
		echo "stderr $(hex "$dir/stderr" 4097)"
	fi
	echo end
}
