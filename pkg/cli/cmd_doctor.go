package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/metrics"
	plugins "aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/preflight/ec2checks"
	"aws-provider-executor/pkg/protocol"
)

func (a *app) doctor() *cobra.Command {
	var region string
	var strict bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "look over executor, journal, policy and identity",
		Long: `doctor looks once over what the other commands need: the executor and what it answers, the
variables, the policy, the journal, the directories, the region and the credentials, by their source
and never by their secret. Each check is pass, warn, fail or unknown, with what was seen and what to
do. It changes nothing, and only reads at the provider.

It ends with 0 only if nothing failed, else with 3. With --strict, warnings and what is unknown are
against it, too.`,
		Example: `  actionctl doctor
  actionctl doctor --region ap-northeast-1 --strict
  actionctl doctor -o json`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			report := a.examine(c.Context(), region)
			if err := a.print(report, func(w io.Writer) { a.printExamined(w, report, strict) }); err != nil {
				return err
			}
			if !report.May(strict) {
				return exit(ExitRefused)
			}
			return nil
		},
	}
	c.Flags().Var(&once{to: &region}, "region",
		"the `region` to ask in (default AWS_REGION, then the instance's own)")
	c.Flags().BoolVar(&strict, "strict", false, "refuse warnings and what is unknown, too")
	return c
}

func (a *app) printExamined(w io.Writer, r preflight.Report, strict bool) {
	var lines [][]string
	for _, c := range r.Checks {
		lines = append(lines, []string{string(c.Verdict), c.Name, c.Seen})
	}
	a.tabulate(w, []string{"VERDICT", "CHECK", "SEEN"}, lines)
	fmt.Fprintln(w)
	a.printAdvice(w, r, strict)
}

// examination is one look over everything.
type examination struct {
	*app
	preflight.Report
	env []string
	// policy is the one that is named, nil where there is none.
	policy *policy.Policy
	// region is the one that is named, and regionFrom where.
	region, regionFrom string
	// facts are what the executor answered of itself.
	facts map[string]string
}

func (x *examination) say(name string, v preflight.Verdict, seen, advice string) {
	x.Checks = append(x.Checks,
		preflight.Check{Name: name, Verdict: v, Seen: seen, Advice: advice})
}

func (x *examination) pass(name, format string, args ...any) {
	x.say(name, preflight.Pass, fmt.Sprintf(format, args...), "")
}

// examine makes every check. What looks at the provider comes last: it makes this process's
// environment the executor's.
func (a *app) examine(ctx context.Context, region string) preflight.Report {
	x := &examination{app: a, region: region, regionFrom: "--region"}
	if x.region == "" {
		x.region, x.regionFrom = a.ownRegion()
	}
	x.settings()
	files := x.policies()
	env, err := a.pluginEnvironment(files)
	if err != nil {
		x.say("environment", preflight.Fail, err.Error(), "mend the flag or the variable that it names")
	}
	x.env = env
	x.openFiles()
	x.journals(ctx)
	store := executor.CheckStateStore(ctx, parseEnviron(env))
	x.Checks = append(x.Checks, store)
	x.metricsDirectory()
	x.plugin(ctx)
	x.permissions()
	x.provider(ctx)
	return x.Report
}

// ownVariables are those of this program.
var ownVariables = []string{"ACTIONCTL_JOURNAL", "ACTIONCTL_POLICY", "ACTIONCTL_NODES"}

// settings looks at the variables that are ours by their names.
func (x *examination) settings() {
	known := slices.Clone(ownVariables)
	for _, s := range executor.Settings() {
		known = append(known, s.Name)
	}
	_, wrong := plugins.Parse(x.app.env)
	var strange []string
	for _, name := range slices.Sorted(maps.Keys(x.app.env)) {
		ours := strings.HasPrefix(name, "EXECUTOR_") || strings.HasPrefix(name, "ACTIONCTL_")
		if !ours || x.app.env[name] == "" || slices.Contains(known, name) {
			continue
		}
		text := name + " is no setting"
		for _, k := range known {
			if protocol.Nearly(name, k) {
				text += "; did you mean " + k
				break
			}
		}
		strange = append(strange, text)
	}
	switch {
	case len(wrong) > 0:
		x.say("settings", preflight.Fail, strings.Join(append(wrong, strange...), "; "),
			"mend the variables: until then the executor refuses every request")
	case len(strange) > 0:
		x.say("settings", preflight.Warn, strings.Join(strange, "; "),
			"nothing reads it: correct its name, or take it out")
	default:
		x.pass("settings", "every EXECUTOR_ and ACTIONCTL_ variable that is set is known")
	}
}

// policies reads the policies, and returns the files that an executor gets.
func (x *examination) policies() (files string) {
	p, files, err := x.loadPolicy()
	x.policy = p
	var wrong *commands.UsageError
	switch {
	case errors.As(err, &wrong):
		x.say("policy", preflight.Fail, err.Error(), "give it another path")
	case err != nil:
		x.say("policy", preflight.Fail, strings.ReplaceAll(err.Error(), "\n", "; "),
			"mend it; actionctl policy check -f FILE tells every fault by its line")
	case p == nil:
		x.say("policy", preflight.Warn, "there is none, so nothing is executed, not even dry",
			"name one with --policy or ACTIONCTL_POLICY")
	default:
		x.pass("policy", "%s is well-formed (%s)", p.Name, files)
	}
	return files
}

// journals looks at the journal without changing it.
func (x *examination) journals(ctx context.Context) {
	const name = "journal"
	path, err := x.journalFile()
	if err != nil {
		x.say(name, preflight.Fail, err.Error(), "name the file")
		return
	}
	j, err := x.openJournal(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.pass(name, "%s is not there yet; import makes it", path)
		return
	case err != nil:
		x.say(name, preflight.Fail, err.Error(), "mend what it names, or name another with --journal")
		return
	}
	defer j.Close()
	counts, err := j.Counts(ctx)
	if err != nil {
		x.say(name, preflight.Fail, path+" can't be read: "+err.Error(),
			"actionctl journal --verify tells more")
		return
	}
	actions := int64(0)
	for _, n := range counts {
		actions += n.Number
	}
	if j.IsACores() || j.ReadOnly() {
		x.say(name, preflight.Warn, fmt.Sprintf("%s has %s, and is only read here: %v", path,
			found(int(actions), "action"), gate.ErrReadOnly),
			"name one that may be written; import takes over what a core's has in force")
		return
	}
	head, err := j.Head(ctx)
	if err != nil {
		x.say(name, preflight.Fail, path+": the end of its log can't be read: "+err.Error(),
			"actionctl journal --verify tells more")
		return
	}
	x.pass(name, "%s has %s; its log ends with %s@%d", path, found(int(actions), "action"),
		head.Hash, head.Seq)
}

// metricsDirectory looks at where metrics are kept.
func (x *examination) metricsDirectory() {
	const name = "metrics"
	dir := x.app.env[metrics.Variable]
	if dir == "" {
		x.pass(name, "none are kept: %s is not set", metrics.Variable)
		return
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory", dir)
	}
	if err == nil {
		err = unix.Access(dir, unix.W_OK|unix.X_OK)
	}
	switch {
	case !filepath.IsAbs(dir):
		x.say(name, preflight.Fail, metrics.Variable+" is "+protocol.Quote(dir)+
			", which is no absolute path", "name one")
	case err != nil:
		x.say(name, preflight.Fail, dir+" can't be written: "+err.Error(),
			"make it, and let this user write it; until then metrics are lost, and nothing else is")
	default:
		x.pass(name, "%s can be written", dir)
	}
}

// fewFiles is a limit on open files below which nothing is sure to work.
const fewFiles = 64

func (x *examination) openFiles() {
	var l unix.Rlimit
	const name = "open-files"
	switch err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); {
	case err != nil:
		x.say(name, preflight.Unknown, "the limit can't be read: "+err.Error(), "look at ulimit -n")
	case l.Cur < fewFiles:
		x.say(name, preflight.Warn, fmt.Sprintf("a process may have %d files open", l.Cur),
			fmt.Sprintf("raise the limit (ulimit -n, LimitNOFILE=) to %d or more", fewFiles))
	default:
		x.pass(name, "a process may have %d files open", l.Cur)
	}
}

// plugin looks for the executor, and asks it whether it could act.
func (x *examination) plugin(ctx context.Context) {
	g := x.newGate(nil, x.env)
	run := g.Run.(*plugin)
	found, err := run.program.Identify(ctx)
	if err != nil {
		x.say("plugin", preflight.Fail, err.Error(), "install it, or name it with --plugin")
		x.say("plugin-answers", preflight.Unknown, "there is no executor to ask",
			"mend the check plugin first")
		return
	}
	version := run.program.Version(ctx)
	seen := fmt.Sprintf("%s, %s, %s", found.Path, firstOf(version, "of an unknown version"),
		found.Digest)
	denial := x.policyOn(found.Digest)
	switch {
	case denial != "":
		x.say("plugin", preflight.Fail, seen+"; "+denial,
			"install the program that is meant, or allow this one: until then nothing is executed")
	case version == "":
		x.say("plugin", preflight.Warn, seen, "it does not tell its version: is it an executor?")
	case !strings.HasSuffix(version, " "+x.Version):
		x.say("plugin", preflight.Warn, seen+"; actionctl is "+x.Version,
			"use programs of one release")
	default:
		x.pass("plugin", "%s", seen)
	}
	x.ask(ctx, run)
}

// policyOn is what the policy has against the program with a digest; empty if nothing.
func (x *examination) policyOn(digest string) string {
	if x.policy == nil {
		return ""
	}
	var against []string
	for _, r := range x.policy.Plugin(digest) {
		against = append(against, r.Field+": "+r.Text)
	}
	return strings.Join(against, "; ")
}

// ask has the executor look at itself.
func (x *examination) ask(ctx context.Context, run *plugin) {
	request := protocol.Request{
		Action: "preflight", Provider: x.Provider, Mode: protocol.DryRun,
		IdempotencyKey: "actionctl-doctor", Target: map[string]string{},
		Parameters: map[string]string{},
	}
	if x.region != "" {
		request.Target["region"] = x.region
	}
	result, err := run.Run(ctx, request)
	if err != nil {
		x.say("plugin-answers", preflight.Fail, err.Error(),
			"run it by hand: actionctl run -f REQUEST --mode dry-run")
		return
	}
	x.facts = result.Status.Observed
	message, failure := result.Status.Lines()
	if result.Status.Status == protocol.Succeeded {
		x.pass("plugin-answers", "it answers execute.providerAction and preflight: %s", message)
	} else {
		x.say("plugin-answers", preflight.Fail, "it answers that it could not act: "+failure,
			"mend what it names")
	}
}

// permissions tells what the executor may read.
func (x *examination) permissions() {
	by := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(x.facts)) {
		if action, ok := strings.CutPrefix(name, "permission."); ok {
			by[x.facts[name]] = append(by[x.facts[name]], action)
		}
	}
	const name = "permissions"
	switch {
	case len(by["denied"]) > 0:
		x.say(name, preflight.Warn, "not allowed: "+strings.Join(by["denied"], ", "),
			"allow what your verbs need; actionctl iam-policy prints it")
	case len(by["unknown"]) > 0 || len(by["allowed"]) == 0:
		x.say(name, preflight.Unknown, "what the executor may read could not be tried",
			"mend the checks plugin-answers and identity first")
	default:
		x.pass(name, "it may read what the verbs need; whether it may change, preflight tells")
	}
}

// sourced is a reader that knows where its credentials come from.
type sourced interface {
	ec2checks.Reader
	CredentialSource() string
}

// provider looks at the region with the executor's identity.
func (x *examination) provider(ctx context.Context) {
	region, from := x.region, x.regionFrom
	if region == "" {
		region, from = x.facts["region"], x.facts["regionSource"]
	}
	if region == "" {
		x.say("region", preflight.Warn, "neither AWS_REGION nor the instance tells one",
			"requests name their own; name one with --region to have the rest looked at")
		x.unasked("there is no region to ask in", "name one with --region")
		return
	}
	seen := fmt.Sprintf("%s (%s)", region, from)
	if _, err := action.Region.Canonical(region); err != nil {
		x.say("region", preflight.Fail,
			fmt.Sprintf("%s (%s): %v", protocol.Quote(region), from, err),
			"mend the name: nothing is asked in it, and the executor refuses a request with it")
		x.unasked("there is no region to ask in", "mend the check region first")
		return
	}
	reader, err := x.Look(ctx, x.env, region, x.timeout, x.log)
	if err != nil {
		x.say("region", preflight.Unknown, seen+"; nothing could be asked there",
			"mend the check credentials first")
		x.unasked(err.Error(), "mend what it names")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, min(x.timeout/2, 10*time.Second))
	defer cancel()
	id, err := reader.CallerIdentity(ctx)
	clock, known := reader.Clock()
	if known || x.readThere() {
		x.pass("region", "%s", seen)
	} else {
		x.say("region", preflight.Unknown, seen+"; nothing there gave an answer",
			"mend the check identity, and see that the name is that of a region")
	}
	if s, ok := reader.(sourced); ok {
		x.credentials(s.CredentialSource(), err)
	}
	x.identity(id, err)
	x.clock(clock, known)
}

// unasked says why the provider was not asked.
func (x *examination) unasked(seen, advice string) {
	for _, name := range []string{"credentials", "identity", "clock"} {
		x.say(name, preflight.Unknown, seen, advice)
	}
}

// readThere reports whether the executor had an answer of EC2.
func (x *examination) readThere() bool {
	for name, told := range x.facts {
		if strings.HasPrefix(name, "permission.") && told != "unknown" {
			return true
		}
	}
	return false
}

// credentials tells their source. That one is asked is no sign that it gives any.
func (x *examination) credentials(source string, err error) {
	if err != nil {
		x.say("credentials", preflight.Unknown,
			"from "+source+"; they did not get through to an identity",
			"mend the check identity")
		return
	}
	x.pass("credentials", "from %s", source)
}

func (x *examination) identity(id ec2model.Identity, err error) {
	var f *protocol.Failure
	certain := errors.As(err, &f) && !f.MayRetry() &&
		(f.Class == protocol.Authentication || f.Class == protocol.Configuration)
	switch {
	case err == nil:
		x.pass("identity", "%s of the account %s", id.ARN, id.Account)
	case certain:
		x.say("identity", preflight.Fail, err.Error(), "give the executor an identity that is valid")
	default:
		x.say("identity", preflight.Unknown, err.Error(), "mend what it names, and look again")
	}
}

// clock says how this machine's clock stands to the provider's.
func (x *examination) clock(c ec2model.Clock, known bool) {
	x.Checks = append(x.Checks, ec2checks.JudgeClock(c, known))
}
