package scan_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/awscloud"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/store"
)

const (
	own   = ec2sim.DefaultOwner
	other = "222233334444"
	third = "555566667777"
)

// clock is a clock that goes when somebody waits, or when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond) // no two moments are the same
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.advance(d)
	return ctx.Err()
}

// world is a stand-in, a store, and what scans one into the other.
type world struct {
	t       *testing.T
	sim     *ec2sim.Sim
	store   *store.Store
	clock   *clock
	scanner *scan.Scanner
	keeper  *scan.Keeper
	// hidden are ids that pages do not show.
	hidden []string
	// patience bounds a call.
	patience time.Duration
}

// hiding is a cloud whose pages do not show everything.
type hiding struct {
	scan.Cloud
	of *world
}

func (h hiding) Page(ctx context.Context, at scan.Region, token string) (scan.Page, error) {
	page, err := h.Cloud.Page(ctx, at, token)
	page.Seen = slices.DeleteFunc(page.Seen, func(x nodes.Sighting) bool {
		return slices.Contains(h.of.hidden, x.ID)
	})
	return page, err
}

// newWorld serves a stand-in with two accounts beside its own, to which roles lead. The environment
// points at it.
func newWorld(t *testing.T, options ...ec2sim.Option) *world {
	t.Helper()
	options = append([]ec2sim.Option{ec2sim.WithCredentials(ec2sim.LabCredential),
		ec2sim.WithTransitionTime(0), ec2sim.WithTerminatedShown(time.Hour)}, options...)
	s := ec2sim.New(options...)
	for _, account := range []string{other, third} {
		s.Account(account).AddRole(ec2sim.AccountRole{Name: "nodes", ExternalID: "word-" + account})
	}
	srv, err := ec2sim.Start(s, ec2sim.ServerOptions{Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	environment(t, srv)
	w := &world{t: t, sim: s, clock: &clock{now: time.Now().UTC()}, patience: 30 * time.Second}
	w.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "nodes.db"),
		store.Options{Create: true, Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	w.limit(scan.Limits{Attempts: 3})
	return w
}

// environment is what the SDK reads, and nothing else that it would.
func environment(t testing.TB, srv *ec2sim.Server) {
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	for _, line := range append(srv.Env(), "AWS_ENDPOINT_URL="+srv.URL(),
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull) {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
}

func (w *world) limit(l scan.Limits) {
	open := func(ctx context.Context, m nodes.Manager) (scan.Cloud, error) {
		cloud, err := awscloud.Open(ctx, m, awscloud.Options{Timeout: w.patience})
		return hiding{cloud, w}, err
	}
	w.scanner = scan.New(w.store, open, scan.Options{Limits: l, Now: w.clock.Now, Wait: w.clock.Wait})
	w.keeper = scan.NewKeeper(w.store, w.scanner)
}

// ec2Manager is one of instances on the ambient identity.
func ec2Manager(name string, regions ...string) nodes.Manager {
	return nodes.Manager{Name: name, Type: nodes.ManagerEC2, Regions: regions,
		Access: nodes.Access{Kind: nodes.AccessAmbient}}
}

// inAccount has a manager look as the role of an account.
func inAccount(m nodes.Manager, account string) nodes.Manager {
	m.Access = nodes.Access{Kind: nodes.AccessRole, ExternalID: "word-" + account,
		RoleARN: "arn:aws:iam::" + account + ":role/nodes"}
	return m
}

// create adds a manager, which scans it.
func (w *world) create(m nodes.Manager) scan.Kept {
	w.t.Helper()
	kept, err := w.keeper.Create(w.t.Context(), m, scan.Request{})
	if err != nil {
		w.t.Fatal(err)
	}
	return kept
}

// scan scans all managers, an hour after whatever was before, and returns a line for each region as
// verdicts has it.
func (w *world) scan() []scan.Result {
	w.t.Helper()
	w.clock.advance(time.Hour)
	managers, err := w.store.Managers(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	results, err := w.scanner.Scan(w.t.Context(), scan.Request{Managers: managers})
	if err != nil {
		w.t.Fatal(err)
	}
	return results
}

// verdicts are MANAGER/ACCOUNT/REGION VERDICT SEEN of each result.
func verdicts(results []scan.Result) []string {
	var list []string
	for _, r := range results {
		at := strings.TrimRight(r.Manager.Name+"/"+r.AccountID+"/"+r.Region, "/")
		verdict := string(r.Verdict)
		if r.Skipped != "" {
			verdict = "skipped"
		}
		list = append(list, fmt.Sprintf("%s %s %d", at, verdict, r.Summary.Seen))
	}
	return list
}

// add adds instances to a region of an account and returns their ids.
func (w *world) add(account, region string, count int, like ec2sim.Instance) []string {
	w.t.Helper()
	r := w.sim.Account(account).Region(region)
	before := w.ids(account, region)
	r.AddFleet(like, count)
	return slices.DeleteFunc(w.ids(account, region), func(id string) bool {
		return slices.Contains(before, id)
	})
}

func (w *world) ids(account, region string) []string {
	state := w.sim.State()
	regions := state.Regions
	if account != own {
		regions = state.Accounts[account].Regions
	}
	var ids []string
	for _, i := range regions[region].Instances {
		ids = append(ids, i.ID)
	}
	return ids
}

// node is the node with one of the cloud's ids.
func (w *world) node(id string) *nodes.Node {
	w.t.Helper()
	n, err := w.store.Find(w.t.Context(), id)
	if err != nil {
		w.t.Fatalf("%s: %v", id, err)
	}
	return n
}

// told is state/status and the managers' names of a node.
func (w *world) told(id string) string {
	w.t.Helper()
	n := w.node(id)
	var names []string
	for _, m := range n.Managers {
		found, err := w.store.Manager(w.t.Context(), m)
		if err != nil {
			w.t.Fatal(err)
		}
		names = append(names, found.Name)
	}
	slices.Sort(names)
	return fmt.Sprintf("%s/%s %s", n.State, n.Status, strings.Join(names, ","))
}

// unknown fails the test where there is a node with the id.
func (w *world) unknown(id string) {
	w.t.Helper()
	if n, err := w.store.Find(w.t.Context(), id); err == nil {
		w.t.Errorf("%s is known as %+v", id, n)
	}
}

func (w *world) inject(faults ...ec2sim.Fault) {
	w.t.Helper()
	if err := w.sim.Inject(faults...); err != nil {
		w.t.Fatal(err)
	}
}

// always has a fault strike one region of an account from now on.
func always(f ec2sim.Fault, account, region string) ec2sim.Fault {
	f.Account, f.Region, f.Count = account, region, ec2sim.Always
	return f
}

// checked is what the last try to look came to.
func (w *world) checked(manager string) nodes.Check {
	w.t.Helper()
	m, err := w.store.Manager(w.t.Context(), manager)
	if err != nil {
		w.t.Fatal(err)
	}
	return m.Checked
}

// scanManagers scans now.
func (w *world) scanManagers(managers []nodes.Manager) []scan.Result {
	w.t.Helper()
	results, err := w.scanner.Scan(w.t.Context(), scan.Request{Managers: managers})
	if err != nil {
		w.t.Fatal(err)
	}
	return results
}
