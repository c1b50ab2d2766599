#!/bin/sh
# After a removal. The state stays, also when Debian purges: /var/lib/aws-provider-executor and
# /var/lib/actionctl hold what undoes changes that are in force.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
