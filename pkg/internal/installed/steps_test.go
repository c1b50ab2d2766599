//go:build installed

package installed

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"aws-provider-executor/pkg/internal/docblocks"
)

// top is the project's folder. The others are blocks of commands for operators that are run here.
const (
	top       = "../../.."
	install   = ".github/docs/operations.md#install"
	upgrade   = ".github/docs/operations.md#upgrade"
	downgrade = ".github/docs/operations.md#downgrade"
	remove    = ".github/docs/operations.md#remove"
	setUp     = ".github/docs/operations.md#set-it-up"
)

// functions are what steps use. A shell of the units' user sees their state.
const functions = `
programs="actionctl aws-provider-executor aws-provider-inventory appliance-provider-executor
	lifecycled ec2sim fence_aws_executor"
services="actionctl-nodes-watch.service actionctl-nodes-serve.service lifecycled.service"
timers="actionctl-execute-approved.timer actionctl-metrics.timer"
as() {
	runuser -u aws-executor -- \
		env STATE_DIRECTORY=/var/lib/aws-provider-executor:/var/lib/actionctl "$@"
}
until_so() { until "$@" >/dev/null 2>&1; do sleep 0.1; done; }
process_of() { systemctl show --property MainPID --value "$1"; }
is() { test "$(systemctl is-active "$1")" = "$2"; }
# A file that was replaced has a name that ends in "(deleted)".
runs_installed() {
	case "$(readlink "/proc/$(process_of "$1")/exe")" in
	/usr/bin/actionctl | /usr/bin/lifecycled) ;;
	*) return 1 ;;
	esac
}
versions() { for p in $programs; do "$p" --version; done; }
state() { stat -c '%U %a %n' /var/lib/actionctl /var/lib/actionctl/*.db \
		/var/lib/aws-provider-executor /var/lib/aws-provider-executor/keys/*
	as actionctl list
	as actionctl nodes list; }
`

// standIn makes of the Debian a machine with the stand-in of EC2, which the units' programs find.
const standIn = `
cat >/etc/systemd/system/stand-in.service <<'END'
[Service]
DynamicUser=yes
ExecStart=/usr/bin/ec2sim -listen 127.0.0.1:4500 -imds-listen 127.0.0.1:4501
END
for unit in actionctl-execute-approved actionctl-nodes-watch lifecycled; do
	mkdir -p /etc/systemd/system/$unit.service.d
	cat >/etc/systemd/system/$unit.service.d/stand-in.conf <<'END'
[Service]
Environment=AWS_ENDPOINT_URL=http://127.0.0.1:4500
Environment=AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:4501
END
done
systemctl daemon-reload
systemctl start stand-in
echo LIFECYCLED_QUEUE=http://127.0.0.1:4500/123456789012/edge >/etc/lifecycled/environment
grep -v requireEvidence /usr/share/doc/aws-provider-executor/policy.yaml >/etc/actionctl/policy.yaml
`

// kept are lines that tell of what is kept: the files, the journal's actions and the nodes.
var kept = []string{
	"^aws-executor 700 /var/lib/actionctl$", "^aws-executor 600 /var/lib/actionctl/journal.db$",
	"^aws-executor 600 /var/lib/actionctl/nodes.db$",
	"^aws-executor 700 /var/lib/aws-provider-executor$",
	`^aws-executor 600 /var/lib/aws-provider-executor/keys/[0-9a-f]{32}\.json$`,
	"^1\tsucceeded\tmobility-7/assign\t", "^2\tpending\tmobility-7/forward\t",
	"rack4-10.0.0.9",
}

// TestPackage: a Debian that systemd boots gets the package of an older version. Its units run as a
// user without rights, and change the stand-in. The present version is put over it, the older one
// again, and the present one. It is removed and purged. What was done can still be undone after it
// was installed anew. The commands are those of the page for operators.
func TestPackage(t *testing.T) {
	d := newDebian(t)
	d.folder(filepath.Join(top, "bin/older"), "root/older")
	d.folder(filepath.Join(top, "bin/dist"), "root/present")
	for _, name := range []string{"lifecycle.yaml", "policy.yaml"} {
		text, err := os.ReadFile(filepath.Join(top, "examples/lifecycle", name))
		if err != nil {
			t.Fatal(err)
		}
		d.write("etc/lifecycled/"+name, string(text))
	}
	older, present := "^actionctl "+regexp.QuoteMeta(version(t, "INSTALLED_OLDER"))+"$",
		"^actionctl "+regexp.QuoteMeta(version(t, "INSTALLED_PRESENT"))+"$"
	d.boot([]step{
		{name: "install", run: "cd /root/older\n" + docblocks.Read(t, top, install),
			want: []string{`_amd64\.deb: OK`}},
		{name: "versions", run: "versions", want: versionsOf(version(t, "INSTALLED_OLDER"))},
		{name: "manual", run: `
for p in $programs actionctl-nodes-watch lifecycled-sweep; do man --where $p; done
test "$(man lifecycled-sweep | wc -l)" -gt 10
cd /usr/lib/systemd/system
systemd-analyze verify actionctl-*.* lifecycled.service
`},
		{name: "nothing is started", run: `
units=$(dpkg --listfiles aws-provider-executor | sed -n 's|^/usr/lib/systemd/system/||p')
for unit in $units; do
	echo "$unit: $(systemctl is-active $unit || true), $(systemctl is-enabled $unit || true)"
	# What ran and ended is inactive as well, and in the log.
	journalctl --quiet --unit $unit | sed "s|^|log of $unit: |"
done`,
			want: []string{"^actionctl-preflight.timer: inactive, disabled$",
				"^actionctl-preflight.service: inactive, static$",
				"^lifecycled.service: inactive, disabled$"},
			never: []string{"^log of", ": (active|activating|failed|deactivating)", ", enabled"}},
		{name: "Pacemaker finds the fence agent", run: `
stonith_admin --list-installed
stonith_admin --metadata --agent fence_aws_executor`,
			want: []string{"^ *fence_aws_executor$", `<resource-agent name="fence_aws_executor"`}},
		{name: "set up before any unit ran", run: docblocks.Read(t, top, setUp),
			want: []string{"^1\tpending\tmobility-7/assign\t", "^2\tpending\tmobility-7/forward\t"}},
		{name: "units", run: standIn + `systemctl enable --now $services $timers
for unit in $services; do
	until_so runs_installed $unit
	pid=$(process_of $unit)
	stat -c '%U runs' /proc/$pid
	grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs)' /proc/$pid/status
done
until_so test -S /run/actionctl-nodes/socket
until_so test -e /var/lib/actionctl/nodes.db
systemctl start actionctl-metrics.service
cat /var/cache/actionctl-metrics/actionctl.prom`,
			want: []string{"^aws-executor runs$", "^CapEff:\t0+$", "^CapBnd:\t0+$", "^NoNewPrivs:\t1$",
				"^provideraction_state_read_timestamp_seconds"},
			never: []string{"^root runs$", "^Cap...:.*[1-9a-f]", "^NoNewPrivs:\t0$"}},
		{name: "an action", run: `
as actionctl nodes add 10.0.0.9 --name-prefix rack4
as actionctl approve 1 --by ann@example.org
systemctl start actionctl-execute-approved.service
state`,
			want: append([]string{"^1\tsucceeded\t"}, kept...)},
		{name: "upgrade", run: `
# A run that goes on until the upgrade is over.
mkdir -p /run/systemd/system/actionctl-metrics.service.d
cat >/run/systemd/system/actionctl-metrics.service.d/long.conf <<'END'
[Service]
ExecStartPre=/bin/sh -c 'until test -e /run/upgraded; do sleep 0.1; done'
END
systemctl daemon-reload
systemctl start --no-block actionctl-metrics.service
until_so is actionctl-metrics.service activating
run=$(systemctl show --property InvocationID --value actionctl-metrics.service)
before=$(process_of actionctl-nodes-watch.service)
cd /root/present
` + docblocks.Read(t, top, upgrade) + `
systemctl is-enabled $services $timers
systemctl is-active $services $timers
test "$before" != "$(process_of actionctl-nodes-watch.service)"
test "$run" = "$(systemctl show --property InvocationID --value actionctl-metrics.service)"
touch /run/upgraded
until_so is actionctl-metrics.service inactive
systemctl show --property Result actionctl-metrics.service
for unit in $services; do until_so runs_installed $unit; done
versions
state`, want: append(append(versionsOf(version(t, "INSTALLED_PRESENT")), "^Result=success$"),
			kept...)},
		{name: "downgrade", run: "cd /root/older\n" + docblocks.Read(t, top, downgrade) + `
systemctl is-active $services $timers
actionctl --version
state`, want: append([]string{"downgrading", older}, kept...)},
		{name: "upgrade again", run: "cd /root/present\n" + docblocks.Read(t, top, upgrade) +
			"\nactionctl --version", want: []string{present}},
		{name: "remove", run: docblocks.Read(t, top, remove) + `
systemctl is-active $services $timers && exit 1
ls /usr/bin/actionctl /usr/sbin/fence_aws_executor && exit 1
stat -c '%U %n' /var/lib/actionctl/journal.db /var/lib/aws-provider-executor/keys/*.json`,
			want: []string{"^inactive$", "^aws-executor /var/lib/actionctl/journal.db$",
				"^aws-executor /var/lib/aws-provider-executor/keys/"},
			never: []string{"^active$"}},
		{name: "what is left is undone", run: "cd /root/present\n" + docblocks.Read(t, top, install) + `
state
export AWS_ENDPOINT_URL=http://127.0.0.1:4500
export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:4501
as actionctl --policy /etc/actionctl/policy.yaml rollback 1 --yes`,
			want: append([]string{"unassigned 10.88.60.9"}, kept...)},
	})
}

// versionsOf are the lines that all programs tell their version with.
func versionsOf(version string) []string {
	var lines []string
	for _, program := range []string{"actionctl", "aws-provider-executor", "aws-provider-inventory",
		"appliance-provider-executor", "lifecycled", "ec2sim", "fence_aws_executor"} {
		lines = append(lines, "^"+program+" "+regexp.QuoteMeta(version)+"$")
	}
	return lines
}

// version is that of a package, as make installed says it.
func version(t *testing.T, variable string) string {
	t.Helper()
	v := os.Getenv(variable)
	if v == "" {
		t.Fatalf("%s is not set; make installed sets it", variable)
	}
	return v
}
