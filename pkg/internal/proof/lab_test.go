package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/awsexecutor"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/internal/docblocks"
	"aws-provider-executor/pkg/ledger/ledgertest"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/testprograms"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) {
	if os.Getenv(mortalVar) != "" {
		os.Exit(mortalMain())
	}
	code := m.Run()
	testprograms.Remove()
	os.Exit(code)
}

// page tells what the proofs of this package are, and how much each does.
const page = ".github/docs/proofs.md"

// promised holds the page to what a proof did.
func promised(t *testing.T, what string, did int64) {
	t.Helper()
	if runsAll(t) {
		docblocks.AtLeast(t, "../../..", page, what, int(did))
	}
}

// executorBinary is the real program, built once for a run of the tests.
func executorBinary(t testing.TB) string {
	t.Helper()
	dir, err := testprograms.Build(awsexecutor.Name)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, awsexecutor.Name)
}

// lab is a stand-in of EC2 with a store of its own, and processes that work on it.
type lab struct {
	t     testing.TB
	sim   *ec2sim.Sim
	url   string
	store string
	// under counts the calls under way, those whose client has gone among them.
	under underWay
	runs  atomic.Int64
}

func newLab(t testing.TB, seed func(*ec2sim.Region), options ...ec2sim.Option) *lab {
	t.Helper()
	dir, err := os.MkdirTemp(memory(), "lab-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l := &lab{t: t, store: filepath.Join(dir, "state")}
	options = append([]ec2sim.Option{ec2sim.Lab(), ec2sim.WithTransitionTime(0)}, options...)
	if seed != nil {
		options = append(options, ec2sim.Seed(func(s *ec2sim.Sim) { seed(s.Region(ec2sim.LabRegion)) }))
	}
	l.sim = ec2sim.New(options...)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.under.add(1)
		defer l.under.add(-1)
		l.sim.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

// memory is a directory that needs no disk, where there is one: a kill loses nothing that was
// written, synced or not, and thousands of syncs take their time.
func memory() string {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err == nil && info.IsDir() {
		return shm
	}
	return os.TempDir()
}

// underWay counts what is under way.
type underWay struct {
	mu      sync.Mutex
	changed *sync.Cond
	n       int
}

func (u *underWay) cond() *sync.Cond {
	if u.changed == nil {
		u.changed = sync.NewCond(&u.mu)
	}
	return u.changed
}

func (u *underWay) add(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n += n
	u.cond().Broadcast()
}

// none waits until nothing is.
func (u *underWay) none() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.n > 0 {
		u.cond().Wait()
	}
}

// state is the world, once nothing is on its way any more.
func (l *lab) state() ec2sim.State {
	l.under.none()
	return l.sim.State()
}

// records are the files of the records in the lab's ledger.
func (l *lab) records() []string {
	l.t.Helper()
	files, err := ledgertest.Records(l.store)
	if err != nil {
		l.t.Fatal(err)
	}
	return files
}

// open are the keys of the records that are not undone. What several actions made up is kept for
// a while once it is undone: an undo of them may be sent again.
func (l *lab) open() []string {
	l.t.Helper()
	keys, err := ledgertest.Open(l.store)
	if err != nil {
		l.t.Fatal(err)
	}
	return keys
}

// changing is an operation that is no reading.
func changing(c ec2sim.Call) bool { return c.Change }

// request is what a core asks for.
type request struct {
	verb, key          string
	target, parameters map[string]string
	dryRun             bool
	// hurried requests are carried out by a program whose clock is not waited for.
	hurried bool
}

func (r request) json() string {
	mode := "execute"
	if r.dryRun {
		mode = "dry-run"
	}
	target := maps.Clone(r.target)
	target["region"] = ec2sim.LabRegion
	text, err := json.Marshal(map[string]any{
		"apiVersion": protocol.APIVersion, "kind": protocol.RequestKind,
		"spec": map[string]any{
			"action": r.verb, "provider": "aws", "target": target, "parameters": r.parameters,
			"mode": mode, "idempotencyKey": r.key,
		},
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// undo is the request that takes r back, as a core builds it: the whole of what was observed, and
// the action's own parameters over it.
func (r request) undo(verb string, got protocol.Status, more map[string]string) request {
	parameters := maps.Clone(got.Observed)
	if parameters == nil {
		parameters = map[string]string{}
	}
	maps.Copy(parameters, r.parameters)
	maps.Copy(parameters, more)
	return request{verb: verb, key: r.key + protocol.UndoKeySuffix, target: r.target,
		parameters: parameters, hurried: r.hurried}
}

// process is one run of the program.
type process struct {
	lab     *lab
	request request
	cmd     *exec.Cmd
	out     bytes.Buffer
	log     bytes.Buffer
	ended   chan struct{}
	// app names it in its calls' user agent.
	app string
}

// way is how a process is started.
type way struct {
	timeout time.Duration
	// mortal makes it one that kills itself at a step of its ledger.
	mortal string
	env    []string
	stdin  io.Reader
}

const normally = 2 * time.Minute

func (l *lab) start(r request, w way) *process {
	l.t.Helper()
	path := executorBinary(l.t)
	p := &process{lab: l, request: r, ended: make(chan struct{}),
		app: fmt.Sprintf("run-%d", l.runs.Add(1))}
	env := append(l.env(p.app), w.env...)
	if w.timeout == 0 {
		w.timeout = normally
	}
	env = append(env, "EXECUTOR_TIMEOUT="+w.timeout.String())
	if r.hurried && w.mortal == "" {
		w.mortal = immortal
	}
	if w.mortal != "" {
		var err error
		if path, err = os.Executable(); err != nil {
			l.t.Fatal(err)
		}
		env = append(env, mortalVar+"="+w.mortal, "GORACE=atexit_sleep_ms=0")
	}
	p.cmd = exec.Command(path)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, &p.out, &p.log
	p.cmd.Stdin = w.stdin
	if w.stdin == nil {
		stdin := filled(l.t, r.json())
		defer stdin.Close()
		p.cmd.Stdin = stdin
	}
	if err := p.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return p
}

// env is the environment of a process, whose calls have the app's name in their user agent.
func (l *lab) env(app string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "EXECUTOR_STATE_DIR=" + l.store, "EXECUTOR_LOG=debug",
		"AWS_SDK_UA_APP_ID=" + app, "AWS_ENDPOINT_URL_EC2=" + l.url, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL_SSM=" + l.url,
		"AWS_ENDPOINT_URL_STS=" + l.url,
		"AWS_ENDPOINT_URL_AUTO_SCALING=" + l.url,
		"AWS_ACCESS_KEY_ID=" + ec2sim.LabRoleCredential.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + ec2sim.LabRoleCredential.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + ec2sim.LabRoleCredential.SessionToken,
	}
}

// filled is a pipe that has a text in it and is at its end: a process that reads it waits for
// nobody, however busy this one is.
func filled(t testing.TB, text string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	// A pipe takes 64 KiB before it blocks. A request of the proofs has less than one.
	if _, err := w.WriteString(text); err != nil {
		t.Fatal(err)
	}
	return r
}

// made reports whether a call is the process's own.
func (p *process) made(c ec2sim.Call) bool {
	return strings.HasSuffix(c.UserAgent+" ", "app/"+p.app+" ") ||
		strings.Contains(c.UserAgent, "app/"+p.app+" ")
}

// kill ends the process, and returns once it has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// answer is what a process said; killed when it was.
type answer struct {
	protocol.Status
	killed bool
	calls  []ec2sim.Call
	log    string
}

// misput says what a status lacks, or says twice over; empty if nothing.
func misput(s protocol.Status) string {
	switch s.Status {
	case protocol.Failed:
		if s.Error == "" || strings.Contains(s.Error, "\n") ||
			s.Observed[protocol.FactFailureClass] == "" || s.Observed[protocol.FactRetryable] == "" {
			return "a failure without one line, a class and whether it is retryable"
		}
		if s.Observed[protocol.FactFailureClass] == string(protocol.Internal) {
			return "a bug"
		}
	case protocol.Skipped:
		if s.Message == "" || s.Error != s.Message {
			return "message and error of what was skipped are not the same sentence"
		}
	case protocol.Succeeded:
		if s.Error != "" || s.Message == "" {
			return "a success without a message, or with an error"
		}
	default:
		return "no status"
	}
	return ""
}

// wait waits for the end, and holds the answer against what every answer must be.
func (p *process) wait() answer {
	l := p.lab
	l.t.Helper()
	<-p.ended
	l.under.none()
	a := answer{calls: slices.DeleteFunc(l.sim.Calls(), func(c ec2sim.Call) bool {
		return !p.made(c)
	}), log: p.log.String()}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() &&
		status.Signal() == syscall.SIGKILL {
		a.killed = true
		return a
	}
	fail := func(format string, args ...any) {
		l.t.Helper()
		l.t.Errorf("%s\nrequest: %s\nanswer: %s\nlog: %s", fmt.Sprintf(format, args...), p.request.json(),
			p.out.String(), p.log.String())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		fail("exit code %d", code)
	}
	var result protocol.Result
	if err := json.Unmarshal(p.out.Bytes(), &result); err != nil ||
		result.Kind != protocol.ResultKind || result.APIVersion != protocol.APIVersion {
		fail("not a result: %v", err)
	}
	a.Status = result.Status
	if n := p.log.Len(); n > protocol.MaxLogBytes {
		fail("a log of %d bytes", n)
	}
	for _, secret := range []string{
		ec2sim.LabRoleCredential.SecretAccessKey, ec2sim.LabRoleCredential.SessionToken,
		ec2sim.LabRoleCredential.AccessKeyID,
	} {
		if strings.Contains(p.out.String()+p.log.String(), secret) {
			fail("a credential is told")
		}
	}
	if wrong := misput(a.Status); wrong != "" {
		fail("%s", wrong)
	}
	if err := onceOfUnknownOutcome(a.calls); err != nil {
		fail("%v", err)
	}
	return a
}

func (l *lab) run(r request) answer {
	l.t.Helper()
	return l.start(r, way{}).wait()
}

// onceOfUnknownOutcome holds the calls of one process against the promise that a change whose
// outcome is unknown is never sent again by it.
func onceOfUnknownOutcome(calls []ec2sim.Call) error {
	unknown := map[string]ec2sim.Call{}
	for _, c := range calls {
		if !changing(c) {
			continue
		}
		text, err := json.Marshal([]any{c.Operation, c.Params})
		if err != nil {
			return err
		}
		if before, ok := unknown[string(text)]; ok {
			return fmt.Errorf(
				"%s was sent again (call %d) though its outcome (call %d: %d %s %v) is unknown", c.Operation,
				c.Seq, before.Seq, before.Status, before.Code, before.Faults)
		}
		if outcomeUnknown(c) {
			unknown[string(text)] = c
		}
	}
	return nil
}

// outcomeUnknown reports whether the one who called can't know what became of it.
func outcomeUnknown(c ec2sim.Call) bool {
	struck := strings.Join(c.Faults, " ")
	return c.Status == 0 || c.Status >= 500 && c.Code != "RequestLimitExceeded" ||
		strings.Contains(struck, "cut") || strings.Contains(struck, "text")
}

// sameWorld compares two worlds but for what depends on when things were done.
func sameWorld(want, got ec2sim.State) string {
	return cmp.Diff(timeless(want), timeless(got))
}

// unixTime is a time at which a proof ran; what a scenario began with is from before.
var unixTime = regexp.MustCompile(
	`(^|Original_SG_Backup_i-[0-9a-f]+_|"t":)(?:17[5-9]|1[89]|[2-9])[0-9]+`)

// timeless is a world without the times at which it was fenced and started, and without what
// commands and interfaces that are made have of their own.
func timeless(s ec2sim.State) ec2sim.State {
	s.Regions = maps.Clone(s.Regions)
	for name, region := range s.Regions {
		region.Commands = slices.Clone(region.Commands)
		for i := range region.Commands {
			region.Commands[i].ID, region.Commands[i].Requested = "", time.Time{}
		}
		s.Regions[name] = region
	}
	return edited(drawn(s), func(i *ec2sim.Instance) {
		i.LaunchTime = time.Time{}
		tags := ec2sim.Tags{}
		for key, value := range i.Tags {
			tags[unixTime.ReplaceAllString(key, "${1}T")] = unixTime.ReplaceAllString(value, "${1}T")
		}
		i.Tags = tags
	})
}

// drawn is a copy of a world in which interfaces that were made have no ids of their own.
func drawn(s ec2sim.State) ec2sim.State {
	s.Regions = maps.Clone(s.Regions)
	for name, region := range s.Regions {
		region.Interfaces = slices.Clone(region.Interfaces)
		for n := range region.Interfaces {
			i := &region.Interfaces[n]
			if i.Attachment != nil {
				a := *i.Attachment
				a.AttachTime, i.Attachment = time.Time{}, &a
			}
			slot := i.Tags[ec2model.Slot]
			if slot == "" {
				continue
			}
			i.Tags = maps.Clone(i.Tags)
			i.Tags[ec2model.Slot] = slot[:strings.LastIndex(slot, "/")]
			i.ID, i.MAC = "made "+i.Tags[ec2model.Slot], ""
			if i.Attachment != nil {
				i.Attachment.ID = ""
			}
		}
		drawnAddresses(&region)
		slices.SortFunc(region.Interfaces, func(a, b ec2sim.Interface) int {
			return strings.Compare(a.ID, b.ID)
		})
		s.Regions[name] = region
	}
	return s
}

// drawnAddresses has Elastic IPs without ids of their own that were allocated, and associations
// without theirs.
func drawnAddresses(region *ec2sim.RegionState) {
	region.Addresses = slices.Clone(region.Addresses)
	for n := range region.Addresses {
		a := &region.Addresses[n]
		if a.AssociationID != "" {
			a.AssociationID = "associated"
		}
		if mark := a.Tags[ec2model.PublicAddress]; mark != "" {
			a.Tags = maps.Clone(a.Tags)
			a.Tags[ec2model.PublicAddress] = mark[:strings.LastIndex(mark, "/")]
			a.AllocationID = "made " + a.Tags[ec2model.PublicAddress]
		}
	}
	slices.SortFunc(region.Addresses, func(a, b ec2sim.Address) int {
		return strings.Compare(a.AllocationID, b.AllocationID)
	})
}

// edited is a copy of a world with every instance edited.
func edited(s ec2sim.State, edit func(*ec2sim.Instance)) ec2sim.State {
	s.Regions = maps.Clone(s.Regions)
	for name, region := range s.Regions {
		region.Instances = slices.Clone(region.Instances)
		for i := range region.Instances {
			edit(&region.Instances[i])
		}
		s.Regions[name] = region
	}
	return s
}

// same holds the world against what it should be.
func (l *lab) same(want ec2sim.State, when string) {
	l.t.Helper()
	if diff := sameWorld(want, l.state()); diff != "" {
		l.t.Errorf("%s the world differs (-want +got):\n%s", when, diff)
	}
}

// must holds an answer against the state it should have.
func (l *lab) must(a answer, want protocol.State, when string) answer {
	l.t.Helper()
	if a.killed || a.Status.Status != want {
		l.t.Errorf("%s: %+v, want %s\n%s", when, a.Status, want, a.log)
	}
	return a
}

// priors are the prior facts of an answer that every attempt tells.
func priors(observed map[string]string) map[string]string {
	all := map[string]string{}
	for k, v := range observed {
		if strings.HasPrefix(k, "prior") && k != "priorFactsKept" && k != "priorRouteState" {
			all[k] = v
		}
	}
	return all
}

// taken reports whether a case is tried: one in so many, by its number, or each with PROOF_SOAK.
func taken(number, oneIn int) bool { return soaking() || number%oneIn == 0 }

// series returns the number to begin a series with and what to add for the next one. The series of
// numbers that follow each other take turns. With PROOF_SOAK each is whole.
func series(number, oneIn int) (begin, stride int) {
	if soaking() {
		return 1, 1
	}
	return 1 + number%oneIn, oneIn
}

// soaking reports whether all cases are tried, however long that takes.
func soaking() bool { return os.Getenv("PROOF_SOAK") != "" }

// abreast runs many cases that mostly wait, some at a time. More of them would keep the processes
// from what they have deadlines for.
func abreast(cases []func()) {
	todo := make(chan func())
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for run := range todo {
				func() {
					done := make(chan struct{})
					// A case that is given up takes its goroutine with it.
					go func() {
						defer close(done)
						run()
					}()
					<-done
				}()
			}
		})
	}
	for _, run := range cases {
		todo <- run
	}
	close(todo)
	all.Wait()
}
