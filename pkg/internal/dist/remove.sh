#!/bin/sh
# Before a removal. dpkg says "remove", rpm how many versions are left.
set -e
case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	# Timers first, so that they start nothing any more. An execution ends what it began.
	cd /usr/lib/systemd/system
	systemctl --no-reload disable --now actionctl-*.timer || true
	systemctl --no-reload disable --now actionctl-*.service lifecycled.service || true
fi
