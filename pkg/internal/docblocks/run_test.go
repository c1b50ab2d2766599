package docblocks

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/testprograms"
)

const top = "../../.."

// programs are those that the pages' commands start.
var programs = []string{"actionctl", "appliance-provider-executor", "aws-provider-executor",
	"aws-provider-inventory", "ec2sim", "fence_aws_executor"}

func TestMain(m *testing.M) {
	code := m.Run()
	testprograms.Remove()
	os.Exit(code)
}

// run is how a block is run: in a folder of its own, on a stand-in of its own, with the programs
// as they are shipped.
type run struct {
	// world is a file of examples/worlds, or the text of a world; the lab when empty.
	world string
	// tree has the block run in a copy of the whole tree, and not in an empty folder. It has to build
	// the programs then.
	tree bool
	// role has the executor's role carry a policy for its verb, and IAM tell it.
	role string
	// before makes what the block says is there. It is run by the same programs on the same
	// stand-in; block NAME writes another block of the pages, as it is run, to standard output.
	before string
	// shell are lines before the block, in its shell: variables, and an agent for keys.
	shell string
	// then are lines behind the block, in its shell.
	then string
	// replaced are placeholders of the block and what stands for them here. Each has to be in it.
	replaced map[string]string
	// until is what a block says that goes on until it is stopped.
	until string
	// says is what the block has to say, in this order.
	says []string
	// prints is a block of the pages that is in what the block says.
	prints string
	// after has to succeed; "said" is a file with what the block said.
	after string
	// same has the provider's world be at the end as it was at the start.
	same bool
	// calls looks at what the stand-in was asked.
	calls func(t *testing.T, calls []ec2sim.Call)
}

// lines are the commands that several blocks rest on.
const (
	aPolicy = `cat > policy.yaml <<END
apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: blocks}
spec:
  enabled: true
  dryRunOnly: false
  allowedProviders: [aws, manual]
  allowUndo: true
  allowedActions: ["*"]
  maxActionsPerRun: 50
  requireApproval: true
  allowIrreversible: true
  allowedDocuments: [AWS-RunShellScript]
END
export ACTIONCTL_POLICY=policy.yaml
`
	both = `for r in assign forwarding; do
  aws-provider-executor < examples/requests/$r.json
done
`
	aRequest = "cp examples/requests/assign.json request.json\n"
	// seven actions, of which the last is to be approved.
	seven = `for i in 1 2 3 4 5 6 7; do
  actionctl plan assign-secondary-ip --nic eni-01088600000000011 --key lab/$i \
    --address 10.88.60.12$i
done > plans.yaml
actionctl import -f plans.yaml
`
	approved = aPolicy + seven + "actionctl execute 7 --dry-run; actionctl approve 7 --by ann\n"
	keys     = `mkdir -p .ssh
ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519
ssh-keygen -q -t ed25519 -N '' -C yubikey -f .ssh/yubikey
cp .ssh/id_ed25519.pub ann.pub
cp .ssh/yubikey.pub bob.pub
`
	signedPolicy = keys + `ssh-keygen -q -t ed25519 -N '' -f other
block .github/docs/approvals.md#set-up/2 |
  sed "s/sha256:…/sha256:$(sha256sum < bin/aws-provider-executor | cut -c1-64)/
    s|SHA256:…|$(ssh-keygen -lf other | cut -d' ' -f2)|" \
  > policy.yaml
`
	listed = "export ACTIONCTL_POLICY=policy.yaml\nblock .github/docs/approvals.md#set-up | bash\n"
	// three actions in force, a fourth that is approved, and a node.
	inForce = aPolicy + seven + `actionctl execute 1 2 3 4 --dry-run
actionctl approve 1 2 3 4 --by ann
actionctl execute 1 2 3
actionctl nodes add rack4-a
`
	// a core at work in the background, until calm has it end.
	busy = `cat > core.sh <<'END'
sed 's/eni-01088600000000011/eni-01088600000000012/; s/mobility-7/core/' \
  examples/requests/assign.json > core.json
until test -e stop; do
  aws-provider-executor < core.json > core-result.json
  actionctl undo --request core.json --result core-result.json | aws-provider-executor
  touch at-work
done
touch stopped
END
bash core.sh > core.log 2>&1 &
until test -e at-work; do sleep 0.1; done
`
	// three actions in force whose ledger an executor no longer looks for.
	misplaced = inForce + "mv " + yourState + " actionctl && cp journal.db actionctl\n"
	calm      = "touch stop; until test -e stopped; do sleep 0.1; done\n"
	ledger    = "/var/lib/aws-provider-executor"
	yourState = "state"
)

// inHere has the state of a machine be in the folder of the block.
var inHere = map[string]string{ledger: yourState, "/var/lib/actionctl": "."}

// runs are the blocks of commands that this package runs.
var runs = map[string]run{
	"README.md#aws-provider-executor": {
		tree: true,
		// This test is one of those that make test runs.
		replaced: map[string]string{"make test": "make -n test"},
		prints:   "README.md#try-one-request/2",
		says:     []string{"= all as before", `go test .* \./\.\.\.`},
	},
	".github/docs/appliances.md#appliances": {
		before: "cp examples/appliance/edge.conf .",
		after: `actionctl import -f plan.yaml
actionctl show 1 > shown
for part in edge-1/1 i-0a0000000000000b1 ap-northeast-1 10.0.0.5 file:/etc/appliance/admin \
  edge.conf hostname=edge-1 az-a=port2:10.0.1.5; do
  grep -F -- "$part" plan.yaml shown > /dev/null || { cat plan.yaml; echo "no $part"; exit 1; }
done`,
	},
	".github/docs/appliances.md#a-stand-in": {says: []string{"APPLIANCE_ADDRESS=127.0.0.1"}},
	".github/docs/approvals.md#set-up": {
		before: signedPolicy,
		says:   []string{"the policy signed is well-formed"},
	},
	".github/docs/approvals.md#sign": {
		before: signedPolicy + listed + seven + "actionctl execute 7 --dry-run",
		shell: `export ACTIONCTL_POLICY=policy.yaml
eval "$(ssh-agent)" > /dev/null; trap 'ssh-agent -k > /dev/null' EXIT; ssh-add -q .ssh/yubikey
`,
		says: []string{"approved by one more; more approvals are needed", "7\\s.*\\sapproved$"},
		after: "ACTIONCTL_POLICY=policy.yaml actionctl execute 7 && " +
			"actionctl show 7 | grep -c '(signed, SHA256:' | grep 2",
	},
	".github/docs/approvals.md#verify-by-hand": {
		before: signedPolicy + listed + seven + `actionctl execute 7 --dry-run
actionctl preflight 7 --evidence seen.json
actionctl approve 7 --by ann@example.org --sign .ssh/id_ed25519 --evidence seen.json
`,
		says: []string{`Good "approval@aws-provider-executor" signature for ann@example.org`},
	},
	".github/docs/approvals.md#keep-a-head-back-up": {
		before:   keys + approved + "mkdir elsewhere",
		replaced: map[string]string{"/mnt/elsewhere/heads": "elsewhere/heads"},
		says:     []string{`"signature"`, "the journal is as it was written"},
	},
	".github/docs/ledger.md#on-the-disk/2": {
		before: both,
		after: "test -f state/keys/$(sed -n 1p said).json && " +
			"test -d state/attributes/$(sed -n 2p said)",
	},
	".github/docs/ledger.md#by-hand": {
		before: both,
		shell:  "NAME=$(printf %s 'mobility-7/forwarding' | sha256sum | cut -c1-32)\n",
		replaced: map[string]string{ledger: yourState,
			"keys/NAME.json": "keys/$NAME.json"},
		says: []string{"mobility-7/forwarding: eni-01088600000000011 sourceDestCheck true > false " +
			"pending$", "^attributes/"},
		after: `test "$(grep -c ^attributes/ said)" = 1`,
	},
	".github/docs/ledger.md#by-hand/2": {
		before:   "aws-provider-executor < examples/requests/forwarding.json",
		replaced: map[string]string{ledger: yourState},
		says:     []string{`^\["mobility-7/forwarding","20.*Z",\[{.*"from":"true","to":"false"`},
	},
	".github/docs/monitoring.md#traces": {
		before: approved,
		shell:  "export ACTIONCTL_POLICY=policy.yaml\n",
		says:   []string{"7\\s.*\\ssucceeded"},
		calls: func(t *testing.T, calls []ec2sim.Call) {
			const trace = "traceparent/00-0af7651916cd43dd8448eb211c80319c-"
			if !slices.ContainsFunc(calls, func(c ec2sim.Call) bool {
				return c.Operation == "AssignPrivateIpAddresses" && strings.Contains(c.UserAgent, trace)
			}) {
				t.Errorf("no change has %s in its user agent", trace)
			}
		},
	},
	".github/docs/nodes.md#nodes": {
		world: "fleet.yaml",
		says:  []string{"complete", "shop-1", `like "us-west\*"`, `not where the tag env is "prod"`},
	},
	".github/docs/operations.md#a-ledger-in-another-directory": {
		// The other directory has a ledger without records.
		before: misplaced + `aws-provider-executor < examples/requests/assign.json > result.json
actionctl undo --request examples/requests/assign.json --result result.json | aws-provider-executor
`,
		shell: `systemctl() { test "$1 $2" = "stop actionctl-*.timer"; }` + "\n",
		replaced: map[string]string{"/var/lib/actionctl": "actionctl",
			"/var/lib/aws-provider-executor": "$PWD/" + yourState},
		after: `test "$(ls actionctl)" = journal.db
test "$(ls state | xargs)" = "attributes keys lock locks records swept"
test "$(find state/keys state/attributes -type f | wc -l)" = 6
export STATE_DIRECTORY=$PWD/actionctl:$PWD/state ACTIONCTL_POLICY=policy.yaml
actionctl doctor | grep -E '^pass\s+ledger\s+.*/state can be written$'
actionctl rollback 1 2 3
! ls state/keys/*.json`,
		same: true,
	},
	".github/docs/operations.md#a-ledger-in-another-directory/2": {
		before: misplaced + "aws-provider-executor < examples/requests/assign.json > result.json",
		shell:  "export ACTIONCTL_POLICY=policy.yaml\n",
		replaced: map[string]string{"/var/lib/actionctl": "$PWD/actionctl",
			"rollback ID": "rollback 3 2 1"},
		says: []string{"lab/1: vpc-[0-9a-f]+/10.88.60.121 holder", "3\\s.*succeeded",
			"1\\s.*rolledBack"},
		after: `! ls actionctl/keys/*.json
actionctl undo --request examples/requests/assign.json --result result.json |
  aws-provider-executor | grep '"status": "succeeded"'`,
		same: true,
	},
	".github/docs/operations.md#backup": {
		before:   inForce,
		replaced: inHere,
		shell:    busy,
		after: calm + `test "$(wc -l < backup/head)" = 1
ls backup/ledger/keys/*.json
ACTIONCTL_NODES=backup/nodes.db actionctl nodes list | grep rack4-a
actionctl --journal backup/journal.db journal --verify --head "$(cat backup/head)"
# Where no nodes are kept, no file of them is made.
rm -r backup nodes.db
block .github/docs/operations.md#backup |
  sed 's|` + ledger + `|state|; s|/var/lib/actionctl|.|' | bash
test -s backup/journal.db
test ! -e nodes.db
test ! -e backup/nodes.db`,
	},
	".github/docs/operations.md#restore": {
		before: inForce + busy + "block .github/docs/operations.md#backup |\n" +
			"  sed 's|" + ledger + "|state|; s|/var/lib/actionctl|.|' | bash\n" + calm + `
actionctl rollback 3
sed s/mobility-7/late/ examples/requests/assign.json > late.json
aws-provider-executor < late.json > late-result.json
`,
		replaced: inHere,
		says:     []string{"the journal is as it was written", `pass\s+journal`},
		after: `export ACTIONCTL_POLICY=policy.yaml
actionctl undo --request late.json --result late-result.json | aws-provider-executor |
  grep '"status": "succeeded"'
actionctl show 3 | grep succeeded
actionctl rollback 1 2 3
actionctl journal --verify
`,
		same: true,
	},
	".github/docs/permissions.md#the-smallest-policy": {
		before: "cp examples/requests/assign.json requests.json",
		says: []string{"ec2:AssignPrivateIpAddresses",
			"arn:aws:ec2:ap-northeast-1:123456789012:network-interface/eni-0123456789abcdef0",
			"arn:aws:ec2:ap-northeast-1:123456789012:vpc/vpc-0123456789abcdef0",
			"network-interface/eni-01088600000000011"},
	},
	".github/docs/permissions.md#what-a-role-really-has": {
		role: "router",
		before: `cp examples/requests/forwarding.json requests.json
actionctl iam-policy -f requests.json > a.json; cp a.json b.json`,
		says: []string{`pass\s+iam-needed`, `pass\s+iam-needed`},
	},
	".github/docs/preflight.md#preflight": {
		before: approved + aRequest + `actionctl plan assign-secondary-ip --key mobility-7/assign \
  --nic eni-01088600000000011 --address 10.88.60.9 > more.yaml
actionctl import -f more.yaml
cp request.json failover.json`,
		replaced: map[string]string{"--listen 9108": "--listen 127.0.0.1:0"},
		until:    `(?s)http://127.0.0.1:[0-9]+/metrics.* pass[;,]`,
		says:     []string{`pass\s+identity`, `"verdict": "pass"`, `pass\s+identity`, `pass\s+identity`},
	},
	"examples/gate/README.md#the-gate-by-example/2": {
		tree: true,
		says: []string{"imported", "would assign", "approved", "succeeded", "rolledBack",
			"the journal is as it was written"},
	},
	"examples/gate/README.md#many-nodes": {
		world: "web.yaml",
		before: keys + aPolicy + webNodes + `echo "  approvers: allowed_signers" >> policy.yaml
echo "ann@example.org $(cat ann.pub)" > allowed_signers`,
		shell: "export ACTIONCTL_POLICY=policy.yaml\n",
		says: []string{"3.*imported",
			"3.*would fence i-00000003: eni-00000003 gets sg-0123456789abcdef1;",
			"3.*approved", "3.*succeeded", "rolledBack"},
	},
	"examples/gate/README.md#many-nodes/2": {
		world: "web.yaml", before: aPolicy + webNodes, shell: "export ACTIONCTL_POLICY=policy.yaml\n",
		says:  []string{"idempotencyKey: restart-7/i-", "commands: systemctl restart nginx"},
		after: "grep 'document: AWS-RunShellScript$' said; grep 'retries: .*1' said",
	},
	"examples/gate/README.md#many-nodes/3": {
		before: aPolicy + keys + "sed s/^/rack4-a,rack4-b\\ / ann.pub > known_hosts",
		replaced: map[string]string{"/etc/ssh/ssh_known_hosts": "known_hosts",
			"/etc/actionctl/ops_key": "$PWD/.ssh/id_ed25519"},
		says:  []string{"rack4-a", "provider: manual", "commands: systemctl restart nginx"},
		after: "actionctl nodes list | grep rack4-b",
	},
	"examples/runbook/README.md#the-runbook-of-a-lab-run": {
		tree: true,
		then: `actionctl policy check -f "$ACTIONCTL_POLICY"
actionctl preflight -f failover.yaml
actionctl lab cost --tag lab=smoke --region ap-northeast-1
`,
		says: []string{"the policy lab-run is well-formed", "nothing is against it",
			"3 of 3 instances of the lab run"},
	},
}

// worlds are those that no example has.
var worlds = map[string]string{"web.yaml": `
regions:
  us-west-2:
    vpcs: [{id: vpc-0000000a, cidr: 10.20.0.0/16}]
    subnets: [{id: subnet-0000000a, vpcId: vpc-0000000a, cidr: 10.20.0.0/20}]
    securityGroups:
      - {id: sg-0123456789abcdef0, name: web, vpcId: vpc-0000000a}
      - {id: sg-0123456789abcdef1, name: admin, vpcId: vpc-0000000a}
    instances:
      - {id: i-00000001, subnetId: subnet-0000000a, tags: {Name: web-1, env: test}}
      - {id: i-00000002, subnetId: subnet-0000000a, tags: {Name: web-2, env: test}}
      - {id: i-00000003, subnetId: subnet-0000000a, tags: {Name: web-3}}
      - {id: i-00000009, subnetId: subnet-0000000a, tags: {Name: web-9, env: prod}}
    interfaces:
      - {id: eni-00000001, subnetId: subnet-0000000a, attachment: {instanceId: i-00000001},
         groups: [sg-0123456789abcdef0, sg-0123456789abcdef1]}
      - {id: eni-00000002, subnetId: subnet-0000000a, attachment: {instanceId: i-00000002},
         groups: [sg-0123456789abcdef0, sg-0123456789abcdef1]}
      - {id: eni-00000003, subnetId: subnet-0000000a, attachment: {instanceId: i-00000003},
         groups: [sg-0123456789abcdef0, sg-0123456789abcdef1]}
`}

// webNodes fills the store with the nodes of the world web.yaml.
const webNodes = `actionctl nodes managers create --type aws-ec2 --name own --regions us-west-2
`

// debianPackages are the programs of others that the blocks start, each with its package.
var debianPackages = map[string]string{"bash": "bash", "jq": "jq", "make": "make",
	"sqlite3": "sqlite3", "ssh-agent": "openssh-client", "ssh-keygen": "openssh-client"}

// TestBlocks runs each.
func TestBlocks(t *testing.T) {
	for program, of := range debianPackages {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("the pages' commands need %s, of Debian's package %s: %v", program, of, err)
		}
	}
	bin, err := testprograms.Build(programs...)
	if err != nil {
		t.Fatal(err)
	}
	for id, r := range runs {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			r.run(t, id, bin)
		})
	}
}

func (r run) run(t *testing.T, id, bin string) {
	block := Read(t, top, id)
	for from, to := range r.replaced {
		if !strings.Contains(block, from) {
			t.Errorf("the block has no %s", from)
		}
		block = strings.ReplaceAll(block, from, to)
	}
	sim := r.sim(t)
	before := sim.State()
	sh := r.shellOn(t, sim, bin)
	if r.role != "" {
		r.setRole(t, sim, sh)
	}
	if r.before != "" {
		sh.Run(t, r.before)
	}
	var until *regexp.Regexp
	if r.until != "" {
		until = regexp.MustCompile(r.until)
	}
	said := sh.Until(t, r.shell+block+r.then, until, nil)
	t.Log(said)
	rest := said
	for _, want := range r.says {
		at := regexp.MustCompile("(?m)" + want).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("after what was wanted before, it does not say %q:\n%s", want, said)
		}
		rest = rest[at[1]:]
	}
	if r.prints != "" && !strings.Contains(said, Read(t, top, r.prints)) {
		t.Errorf("it does not say what %s does:\n%s", r.prints, said)
	}
	if r.after != "" {
		if err := os.WriteFile(filepath.Join(sh.Dir, "said"), []byte(said), 0o600); err != nil {
			t.Fatal(err)
		}
		sh.Run(t, r.after)
	}
	if diff := cmp.Diff(before, sim.State()); r.same && diff != "" {
		t.Errorf("the world is not as before (-before +now):\n%s", diff)
	}
	if r.calls != nil {
		r.calls(t, sim.Calls())
	}
}

// sim is the stand-in that the row wants.
func (r run) sim(t *testing.T) *ec2sim.Sim {
	t.Helper()
	if r.world == "" {
		return ec2sim.New(ec2sim.Lab())
	}
	text := []byte(worlds[r.world])
	if len(text) == 0 {
		var err error
		if text, err = os.ReadFile(filepath.Join(top, "examples/worlds", r.world)); err != nil {
			t.Fatal(err)
		}
	}
	sim := ec2sim.New(ec2sim.WithCredentials(ec2sim.LabCredential, ec2sim.LabRoleCredential))
	if err := sim.Load(text); err != nil {
		t.Fatal(err)
	}
	return sim
}

// shellOn is a shell in a folder of its own, in the environment of the stand-in.
func (r run) shellOn(t *testing.T, sim *ec2sim.Sim, bin string) Shell {
	t.Helper()
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	var dir string
	if r.tree {
		dir = CopyTree(t, top)
	} else {
		dir = t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, "examples"),
			os.DirFS(filepath.Join(top, "examples"))); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(bin, filepath.Join(dir, "bin")); err != nil {
			t.Fatal(err)
		}
	}
	path := blockCommand(t) + ":" + os.Getenv("PATH")
	if !r.tree {
		path = bin + ":" + path
	}
	credential := ec2sim.LabCredential
	sharedFile := filepath.Join(dir, "credentials")
	if err := os.WriteFile(sharedFile, []byte("[default]\naws_access_key_id = "+
		credential.AccessKeyID+"\naws_secret_access_key = "+credential.SecretAccessKey+"\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	env := append(server.RoleEnv(), "HOME="+dir, "USER=ann", "TZ=UTC",
		"PATH="+path,
		"EXECUTOR_STATE_DIR="+filepath.Join(dir, yourState),
		"ACTIONCTL_JOURNAL="+filepath.Join(dir, "journal.db"),
		"ACTIONCTL_NODES="+filepath.Join(dir, "nodes.db"))
	if r.world != "" || r.role != "" {
		// The machine is no instance of that world, or it is an operator's.
		env = append(env, "AWS_SHARED_CREDENTIALS_FILE="+sharedFile)
	}
	return Shell{Dir: dir, Env: append(env, GoEnv(t)...)}
}

// blockCommand is a folder with the program block, which writes a block of the pages.
func blockCommand(t *testing.T) string {
	t.Helper()
	blocks, err := All(top)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, b := range blocks {
		path := filepath.Join(dir, b.ID+".block")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.Text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := "#!/bin/sh\nexec cat '" + dir + "'/\"$1\".block\n"
	if err := os.WriteFile(filepath.Join(dir, "block"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// setRole gives the instance's role the policy that actionctl makes.
func (r run) setRole(t *testing.T, sim *ec2sim.Sim, sh Shell) {
	t.Helper()
	policy := sh.Run(t, "actionctl iam-policy -f examples/requests/forwarding.json")
	err := sim.SetRole(ec2sim.LabRoleCredential.AccessKeyID, ec2sim.Role{
		Name: r.role, Inline: map[string]string{"verbs": policy}})
	if err != nil {
		t.Fatal(err)
	}
}
