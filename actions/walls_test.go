package actions_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "aws-provider-executor/"

// wall forbids imports to some packages. Patterns end in "..." to mean everything below.
type wall struct {
	name, of         string
	except           []string
	only, forbidding []string
}

// walls are the design's.
var walls = []wall{
	{name: "an action imports what an action is, the wire and EC2's plain model", of: "actions/...",
		except: []string{"actions", "actions/applianceverbs", "actions/providers"},
		only: []string{"pkg/action", "pkg/protocol", "pkg/awsec2/ec2model", "pkg/appliance",
			"pkg/licenses/licensemodel"}},
	{name: "no action imports the SDK", of: "actions/...", forbidding: []string{"github.com/aws/..."}},
	{name: "no plugin of a core has an appliance's verbs", of: "...", except: []string{
		"cmd/actionctl", "cmd/appliance-provider-executor", "cmd/lifecycled", "actions/providers",
		"pkg/applianceexecutor", "pkg/internal/...", "schema/generate"},
		forbidding: []string{module + "actions/applianceverbs", module + "actions/providers"}},
	{name: "only the executor of appliances drives them", of: "...",
		except:     []string{"pkg/appliance/...", "pkg/applianceexecutor"},
		forbidding: []string{module + "pkg/appliance/access", module + "pkg/appliance/fortigate"}},
	{name: "the executor knows no verb and no provider", of: "pkg/executor",
		forbidding: []string{module + "actions/...", module + "pkg/awsec2/...", "github.com/aws/..."}},
	{name: "the wire imports nothing of ours", of: "pkg/protocol",
		forbidding: []string{module + "..."}},
	{name: "the wire and the actions' terms know no SDK", of: "pkg/action",
		forbidding: []string{"github.com/aws/...", module + "pkg/awsec2/..."}},
	{name: "EC2's plain model knows no SDK", of: "pkg/awsec2/ec2model",
		forbidding: []string{"github.com/..."}},
	{name: "a history knows no clock, no disk, no network and nothing of ours", of: "pkg/history",
		forbidding: []string{module + "...", "github.com/...", "io/...", "net/...", "os/...", "time"}},
	{name: "what a node is knows no SQL, no SDK, no disk and no network", of: "pkg/nodes",
		only:       []string{"pkg/wildcard"},
		forbidding: []string{"database/...", "github.com/...", "golang.org/...", "os/...", "net"}},
	{name: "the ledger knows no provider", of: "pkg/ledger",
		forbidding: []string{"github.com/aws/...", module + "pkg/awsec2/...", module + "actions/..."}},
	{name: "only the seams and the stand-in know the provider's wire", of: "...",
		except: []string{"pkg/awsec2/...", "pkg/awsiam", "pkg/ec2sim/...", "pkg/nodes/awscloud",
			"pkg/lifecycle/awsregion"},
		forbidding: []string{"github.com/aws/..."}},
	{name: "only its seam knows Azure's wire", of: "...",
		except: []string{"pkg/nodes/azurecloud"}, forbidding: []string{"github.com/Azure/..."}},
	{name: "only actionctl looks at Azure", of: "...", except: []string{"cmd/actionctl"},
		forbidding: []string{module + "pkg/nodes/azurecloud"}},
	{name: "only actionctl runs commands by SSH", of: "...",
		except: []string{"pkg/cli"}, forbidding: []string{module + "pkg/nodes/sshcommand"}},
	{name: "what ships has no machine of tests", of: "...",
		forbidding: []string{module + "pkg/nodes/sshhost"}},
	{name: "only actionctl reads roles", of: "...", except: []string{"pkg/cli"},
		forbidding: []string{module + "pkg/awsiam"}},
	{name: "a scan knows no provider and no SQL", of: "pkg/nodes/scan",
		only:       []string{"pkg/nodes", "pkg/nodes/filter"},
		forbidding: []string{"github.com/...", "database/...", "net/...", "os"}},
	{name: "the service of nodes knows no provider and no SQL", of: "pkg/nodes/service/...",
		forbidding: []string{"github.com/aws/...", "database/...", module + "pkg/nodes/awscloud",
			"github.com/Azure/...",
			module + "pkg/cli"}},
	{name: "only actionctl serves nodes", of: "...",
		except:     []string{"pkg/cli", "pkg/nodes/service/..."},
		forbidding: []string{module + "pkg/nodes/service/..."}},
	{name: "a selection of nodes knows no SQL, no SDK, no disk and no network", of: "pkg/selection",
		only:       []string{"pkg/nodes", "pkg/action", "pkg/evidence"},
		forbidding: []string{"database/...", "github.com/...", "golang.org/...", "os/...", "net"}},
	{name: "what listens to events knows no provider's queue", of: "pkg/nodes/events",
		only: []string{"pkg/nodes"}, forbidding: []string{"github.com/...", "database/...", "net/..."}},
	{name: "what an appliance is knows no network, no disk and no product", of: "pkg/appliance",
		only:       []string{"pkg/action", "pkg/protocol"},
		forbidding: []string{"net/...", "os/...", "github.com/...", "text/..."}},
	{name: "the text of a configuration knows no network and no disk", of: "pkg/appliance/configtext",
		only: []string{"pkg/appliance"}, forbidding: []string{"net/http", "os/...", "github.com/..."}},
	{name: "a handler of events knows no SQL, no SDK and no processes", of: "pkg/lifecycle",
		forbidding: []string{"database/...", "modernc.org/...", "github.com/...", "os/exec", "net/...",
			module + "pkg/awsec2", module + "actions/..."}},
	{name: "only lifecycled handles events", of: "...",
		except: []string{"pkg/lifecycle/...", "cmd/lifecycled", "pkg/internal/...", "schema/...",
			"examples/lifecycle/demo"},
		forbidding: []string{module + "pkg/lifecycle/..."}},
	{name: "the gate knows no SQL, no SDK and no processes", of: "pkg/gate",
		forbidding: []string{"database/sql", "modernc.org/...", "github.com/aws/...", "os/exec"}},
	{name: "what ships imports nothing that only tests and benches use", of: "...",
		except: []string{"pkg/internal/..."}, forbidding: []string{module + "pkg/internal/..."}},
	{name: "only the bench draws", of: "...", except: []string{"pkg/internal/bench"},
		forbidding: []string{"github.com/go-analyze/..."}},
	{name: "counting costs a plugin nothing: it links no client", of: "pkg/metrics",
		only: []string{"pkg/protocol"}, forbidding: []string{"github.com/...", "net/..."}},
	{name: "only the exporter knows Prometheus' client", of: "...",
		except: []string{"pkg/metrics/exporter"}, forbidding: []string{"github.com/prometheus/..."}},
	{name: "no plugin serves", of: "...",
		except:     []string{"pkg/cli", "pkg/ec2sim/...", "pkg/internal/...", "cmd/actionctl"},
		forbidding: []string{module + "pkg/metrics/exporter"}},
	{name: "a trace's parent knows nothing of ours", of: "pkg/trace",
		forbidding: []string{module + "...", "github.com/..."}},
	{name: "a policy knows no SQL and no SDK, and no people: the executor, which links it, stays " +
		"small", of: "pkg/policy",
		forbidding: []string{"database/sql", "modernc.org/...", "github.com/aws/...", "golang.org/x/...",
			module + "pkg/person"}},
}

func TestWalls(t *testing.T) {
	imports := map[string][]string{}
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		imports[strings.TrimPrefix(fields[0], module)] = fields[1:]
	}
	for _, w := range walls {
		t.Run(w.name, func(t *testing.T) {
			for of, list := range imports {
				if !matches(w.of, of) || slices.ContainsFunc(w.except, func(e string) bool {
					return matches(e, of)
				}) {
					continue
				}
				for _, i := range list {
					if slices.ContainsFunc(w.forbidding, func(f string) bool { return matches(f, i) }) {
						t.Errorf("%s imports %s", of, i)
					}
					ours, isOurs := strings.CutPrefix(i, module)
					if isOurs && w.only != nil && !slices.ContainsFunc(w.only, func(o string) bool {
						return matches(o, ours)
					}) {
						t.Errorf("%s imports %s", of, i)
					}
				}
			}
		})
	}
}

// A plugin is started for each request: it links nothing that none needs.
func TestPluginsLinkNoNodes(t *testing.T) {
	for _, plugin := range []string{"aws-provider-executor", "aws-provider-inventory"} {
		cmd := exec.Command("go", "list", "-deps", "./cmd/"+plugin)
		cmd.Dir = ".."
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		deps := strings.Fields(string(out))
		if !slices.Contains(deps, module+"pkg/awsec2") {
			t.Fatalf("%s links no EC2: %d packages", plugin, len(deps))
		}
		for _, d := range deps {
			for _, heavy := range []string{module + "pkg/nodes/...", module + "pkg/appliance/...",
				"text/template", "database/sql", "golang.org/x/time/...",
				"connectrpc.com/...", "google.golang.org/...", "golang.org/x/net/http2/...",
				"github.com/aws/aws-sdk-go-v2/service/sqs/...",
				"github.com/aws/aws-sdk-go-v2/service/secretsmanager/...",
				"github.com/aws/aws-sdk-go-v2/service/ssm/...",
				"github.com/aws/aws-sdk-go-v2/service/s3/...",
				"github.com/aws/aws-sdk-go-v2/service/dynamodb/...", "github.com/Azure/..."} {
				if matches(heavy, d) {
					t.Errorf("%s links %s", plugin, d)
				}
			}
		}
	}
}

// TestTheApplianceExecutorHasItsOwnTemplates: text/template calls methods by name, for which the
// linker keeps every method of the SDK.
func TestTheApplianceExecutorHasItsOwnTemplates(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./cmd/appliance-provider-executor")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if slices.Contains(deps, "text/template") || !slices.Contains(deps, "text/template/parse") {
		t.Error("it links text/template, or has no templates")
	}
}

func TestWallPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern, path string
		want          bool
	}{
		{"actions/...", "actions/forwarding", true},
		{"actions/...", "actions", true},
		{"actions", "actions/forwarding", false},
		{"...", "anything", true},
		{"pkg/action", "pkg/actions", false},
	} {
		if got := matches(tt.pattern, tt.path); got != tt.want {
			t.Errorf("matches(%q, %q) = %t", tt.pattern, tt.path, got)
		}
	}
}

func matches(pattern, path string) bool {
	prefix, below := strings.CutSuffix(pattern, "...")
	if !below {
		return pattern == path
	}
	return strings.HasPrefix(path, prefix) || path == strings.TrimSuffix(prefix, "/")
}
