#!/bin/sh
# Before a removal. dpkg says "remove", rpm how many versions are left.
set -e
case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl --no-reload disable --now 'actionctl-*.timer' 'actionctl-*.service' \
		lifecycled.service || true
fi
