#!/bin/sh
# After an installation or an upgrade. Nothing is started: what to run is the operator's choice.
set -e
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers aws-provider-executor.conf
fi
if command -v systemd-tmpfiles >/dev/null; then
	systemd-tmpfiles --create aws-provider-executor.conf
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# What runs for long goes on as the new version. A run that executes or checks is not disturbed:
	# the next one is of the new version.
	systemctl try-restart actionctl-nodes-watch.service actionctl-nodes-serve.service \
		lifecycled.service || true
fi
