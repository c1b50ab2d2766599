package smoke

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/view"
)

// Run makes the acceptance run. Whatever becomes of it is in the outcome.
func Run(ctx context.Context, c Config) Outcome {
	r := &run{Config: c, readers: map[string]Reader{}, names: map[string]string{}}
	r.out.Err = r.all(ctx)
	r.out.Left = append(r.out.Left, r.withdraw(ctx, r.out.Err)...)
	return r.out
}

// run is one run on its way.
type run struct {
	Config
	out     Outcome
	readers map[string]Reader
	// names are what people call the resources.
	names map[string]string
	// ids are the actions in the journal, fallback those of the fallback. imported are all that
	// this run imported.
	ids, fallback, imported []int64
	// cards are what an approver sees of the actions.
	cards []view.Card
}

// step is one step: what it is called, and what it does. Seen is a sentence on what came of it.
type step struct {
	name string
	do   func(context.Context) (seen string, err error)
}

// all goes through the steps. From execute on, what may be changed is taken back.
func (r *run) all(ctx context.Context) error {
	looking := []step{
		{StepRequests, r.requests}, {StepTags, r.tags}, {StepFallback, r.prepareFallback},
		{StepPreflight, r.preflight}, {StepBefore, r.before}, {StepImport, r.imports},
		{StepPlan, r.plan}, {StepApprove, r.approve},
	}
	if err := r.take(ctx, looking); err != nil {
		return r.undecided(ctx, err)
	}
	err := r.take(ctx, []step{{StepExecute, r.execute}, {StepVerified, r.verified},
		{StepHold, r.hold}})
	// A signal ends the waiting, and never the way back.
	back := context.WithoutCancel(ctx)
	if undone := r.take(back, []step{{StepRollback, r.rollback}}); undone != nil {
		err = errors.Join(err, undone)
	}
	if differs := r.take(back, []step{{StepAsBefore, r.asBefore}}); differs != nil {
		err = errors.Join(err, differs)
	}
	return r.undecided(ctx, err)
}

// take takes steps until one fails.
func (r *run) take(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if r.skips(s.name) {
			continue
		}
		if ctx.Err() != nil {
			return fmt.Errorf("before the step %s: %w", s.name, context.Cause(ctx))
		}
		if r.Begin != nil {
			r.Begin(s.name)
		}
		seen, err := s.do(ctx)
		check := preflight.Check{Name: s.name, Verdict: preflight.Pass, Seen: seen}
		if err != nil {
			check.Verdict, check.Advice = preflight.Fail, advice(err)
			check.Seen = joined("; ", seen, err.Error())
		}
		r.out.Steps = append(r.out.Steps, check)
		if r.Tell != nil {
			r.Tell(check)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// skips reports whether a step is no part of this run.
func (r *run) skips(name string) bool {
	switch name {
	case StepFallback:
		return len(r.Fallback) == 0
	case StepPreflight:
		return r.Preflight == nil
	case StepHold:
		return !r.Hold
	}
	return false
}

func joined(with string, parts ...string) string {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == "" })
	return strings.Join(parts, with)
}

// advice is what to do about an error of a step.
func advice(err error) string {
	var s *Stopped
	switch {
	case errors.As(err, &s):
		return map[string]string{
			StopCredentials: "take the credentials out: the executor finds its own",
			StopProviders:   "run each provider's requests on their own",
			StopNoUndo:      "only what can be undone may be tried",
			StopNoLabTag:    "tag what is the lab's, or name another lab with --tag",
			StopProduction:  "an acceptance run is for a lab: name other resources",
			StopUncertain:   "look at what is told to be left, and run what is told",
		}[s.Name]
	case errors.Is(err, ErrNoDecision), errors.Is(err, ErrDeclined):
		return "run it again when somebody is there to decide"
	}
	return "mend what is told, and run it again"
}

// requests refuses what may not be tried at all.
func (r *run) requests(context.Context) (string, error) {
	var faults protocol.Faults
	if errors.As(r.Faults, &faults) && slices.ContainsFunc(faults, isCredential) {
		return "", stop(StopCredentials, "%v", r.Faults)
	}
	if len(r.Credentials) > 0 {
		return "", stop(StopCredentials, "carried in %s", strings.Join(r.Credentials, ", "))
	}
	if r.Faults != nil {
		return "", r.Faults
	}
	if len(r.Requests) == 0 {
		return "", errors.New("there is no request in it")
	}
	providers := map[string]bool{}
	for _, q := range r.Requests {
		providers[joined("/", q.Provider, q.ProviderRef)] = true
		verb, ok := r.Gate.Registry.Resolve(q)
		if ok && verb.Irreversible {
			return "", stop(StopNoUndo, "nothing takes %s back", q.Action)
		}
		if ok && verb.Undo == "" {
			return "", stop(StopNoUndo, "%s is itself an undo: nothing describes how to take it back",
				q.Action)
		}
	}
	if len(providers) > 1 {
		return "", stop(StopProviders, "the requests are for %s",
			strings.Join(slices.Sorted(maps.Keys(providers)), " and "))
	}
	if err := r.Gate.CheckPlans(r.Plans); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d of one provider, each with an undo", len(r.Requests)), nil
}

// isCredential reports whether a fault is that of a key that carries a credential.
func isCredential(f protocol.Fault) bool {
	for _, of := range []string{"spec.target.", "spec.parameters."} {
		if key, ok := strings.CutPrefix(f.Path, of); ok {
			return protocol.IsCredentialKey(key)
		}
	}
	return false
}

// regions are those of the requests, in order.
func (r *run) regions() []string {
	var all []string
	for _, q := range r.Requests {
		if region := q.Target["region"]; !slices.Contains(all, region) {
			all = append(all, region)
		}
	}
	slices.Sort(all)
	return all
}

// of are the requests of a region.
func (r *run) of(region string) []protocol.Request {
	return slices.DeleteFunc(slices.Clone(r.Requests), func(q protocol.Request) bool {
		return q.Target["region"] != region
	})
}

func (r *run) reader(ctx context.Context, region string) (Reader, error) {
	if known, ok := r.readers[region]; ok {
		return known, nil
	}
	connected, err := r.Connect(ctx, region)
	if err == nil {
		r.readers[region] = connected
	}
	return connected, err
}

// tags refuses what is not the lab's, or is somebody's production.
func (r *run) tags(ctx context.Context) (string, error) {
	count := 0
	for _, region := range r.regions() {
		var ids []string
		for _, q := range r.of(region) {
			for _, x := range r.Gate.Registry.Resources(q.Target) {
				if x.Kind != action.SecurityGroup && !slices.Contains(ids, x.ID) {
					ids = append(ids, x.ID)
				}
			}
		}
		if err := r.areTheLabs(ctx, region, ids); err != nil {
			return "", err
		}
		count += len(ids)
	}
	return counted(count, "%d resource has", "%d resources have") + " " + r.Lab.String() +
		", and no production tag", nil
}

// counted is a count in words: one, or several.
func counted(n int, one, several string) string {
	if n == 1 {
		return fmt.Sprintf(one, n)
	}
	return fmt.Sprintf(several, n)
}

// areTheLabs holds resources against the lab's tag.
func (r *run) areTheLabs(ctx context.Context, region string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	reader, err := r.reader(ctx, region)
	if err != nil {
		return err
	}
	tags, err := reader.DescribeTags(ctx, ids...)
	if err != nil {
		return err
	}
	for _, id := range ids {
		r.names[id] = tags[id]["Name"]
		if p, is := Production(tags[id]); is {
			return stop(StopProduction, "%s has the tag %s", id, p)
		}
	}
	for _, id := range ids {
		switch value, has := tags[id][r.Lab.Key]; {
		case !has:
			return stop(StopNoLabTag, "%s has no tag %s", id, r.Lab.Key)
		case value != r.Lab.Value:
			return stop(StopNoLabTag, "%s has the tag %s=%s, want %s", id, r.Lab.Key, value, r.Lab)
		}
	}
	return nil
}

// preflight looks at everything that a reading can tell first.
func (r *run) preflight(ctx context.Context) (string, error) {
	report, err := r.Preflight(ctx, r.Requests)
	if err != nil {
		return "", err
	}
	r.out.Checks = report.Checks
	if refused := report.Refused(false); len(refused) > 0 {
		return report.Summary(), fmt.Errorf("%s: %s; %s",
			refused[0].Name, refused[0].Seen, refused[0].Advice)
	}
	return report.Summary(), nil
}

// before reads the world as it is to be again.
func (r *run) before(ctx context.Context) (string, error) {
	state, err := r.look(ctx)
	if err != nil {
		return "", err
	}
	r.out.Before = state
	return fmt.Sprintf("%d values read", len(state)), nil
}

func (r *run) look(ctx context.Context) (State, error) {
	all := State{}
	for _, region := range r.regions() {
		reader, err := r.reader(ctx, region)
		if err != nil {
			return nil, err
		}
		state, err := look(ctx, reader, r.Gate.Registry, r.of(region))
		if err != nil {
			return nil, err
		}
		maps.Copy(all, state)
	}
	return all, nil
}

// imports takes the plans into the journal. What an earlier run rolled back is tried anew.
func (r *run) imports(ctx context.Context) (seen string, err error) {
	if r.ids, err = r.importPlans(ctx, r.Plans); err != nil {
		return "", err
	}
	return "as " + names(r.ids), nil
}

// importPlans takes plans into the journal. What killed runs left to be stopped there ends first.
func (r *run) importPlans(ctx context.Context, plans []gate.Plan) ([]int64, error) {
	if _, err := r.Gate.RejectLeft(ctx, gate.Query{Keys: stopKeys}); err != nil {
		return nil, err
	}
	outcomes, err := r.Gate.ImportForRun(ctx, plans, r.Source)
	if err != nil {
		return nil, err
	}
	for _, o := range outcomes {
		r.imported = append(r.imported, o.Action.ID)
	}
	var ids []int64
	for _, o := range outcomes {
		ids = append(ids, o.Action.ID)
		if o.Verdict != gate.Done {
			return nil, errors.New(o.Message)
		}
		if o.Action.Status != gate.Pending {
			return nil, fmt.Errorf("the action %d (%s) is %s, in force from before: roll it back first",
				o.Action.ID, protocol.Quote(o.Action.IdempotencyKey), o.Action.Status)
		}
	}
	return ids, nil
}

func names(ids []int64) string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = fmt.Sprint("action ", id)
	}
	return strings.Join(all, ", ")
}

// plan asks the executor what it would do, and how that would be taken back.
func (r *run) plan(ctx context.Context) (string, error) {
	outcomes, err := r.Gate.DryRun(ctx, r.ids, gate.Options{KeepGoing: true})
	if err != nil {
		return "", err
	}
	for i, o := range outcomes {
		if o.Verdict != gate.Done || o.Result == nil {
			if class := classOf(o); class == protocol.Ambiguous || class == protocol.Unverified {
				return "", stop(StopUncertain, "%s", o.Message)
			}
			return "", errors.New(o.Message)
		}
		plan, undo, err := told(o.Result.Status.Observed)
		if err != nil {
			return "", stop(StopNoUndo, "of %s: %v", protocol.Quote(o.Action.IdempotencyKey), err)
		}
		if err := r.areTheLabs(ctx, r.Requests[i].Target["region"], changed(plan)); err != nil {
			return "", err
		}
		r.cards = append(r.cards, r.card(o, plan, undo))
		r.out.Told = append(r.out.Told, o.Result.Status)
		r.out.Plan = append(r.out.Plan, plan...)
		r.out.Undo = append(undo, r.out.Undo...)
	}
	if len(r.out.Plan) == 0 {
		return "", errors.New("there is nothing to do: the lab is as the requests want it already, " +
			"so a run would show nothing")
	}
	return counted(len(r.out.Plan), "%d change, with its way back",
		"%d changes, each with its way back"), nil
}

// card is what an approver sees of an action.
func (r *run) card(o gate.Outcome, plan, undo []protocol.Change) view.Card {
	verb, _ := r.Gate.Registry.Resolve(o.Action.Request(protocol.Execute))
	return view.Card{
		Title: o.Action.IdempotencyKey, Action: verb.Name, Says: o.Message, Risk: verb.Risk,
		Changes: plan, Undo: undo, UndoVerb: verb.Undo,
		Names: func(id string) string { return r.names[id] },
	}
}

// told reads the plans of an answer. An action that changes something and tells no way back has
// none.
func told(observed map[string]string) (plan, undo []protocol.Change, err error) {
	text, ok := observed[protocol.FactPlan]
	if !ok {
		return nil, nil, errors.New("the executor told no plan")
	}
	if plan, err = protocol.DecodeChanges(text); err != nil {
		return nil, nil, err
	}
	if text, ok = observed[protocol.FactUndoPlan]; !ok {
		return nil, nil, errors.New("the executor told no plan of the undo")
	}
	if undo, err = protocol.DecodeChanges(text); err != nil {
		return nil, nil, err
	}
	for _, c := range plan {
		back := func(u protocol.Change) bool {
			return u.Resource == c.Resource && u.Attribute == c.Attribute
		}
		if !slices.ContainsFunc(undo, back) {
			return nil, nil, fmt.Errorf("nothing leads the %s of %s back", c.Attribute, c.Resource)
		}
	}
	return plan, undo, nil
}

// execute carries the actions out, and lets the provider finish what it is at.
func (r *run) execute(ctx context.Context) (string, error) {
	rest := r.ids
	for end := time.Now().Add(r.Patience); ; {
		outcomes, err := r.Gate.Execute(ctx, rest, gate.Options{})
		if err != nil {
			return "", err
		}
		done := 0
		for done < len(outcomes) && outcomes[done].Verdict == gate.Done {
			done++
		}
		if rest = rest[done:]; len(rest) == 0 {
			return fmt.Sprintf("%d of %d succeeded", len(r.ids), len(r.ids)), nil
		}
		failed := outcomes[done]
		if !isUnderWay(failed) || time.Now().After(end) || r.Wait(ctx, pause) != nil {
			seen := fmt.Sprintf("%d of %d succeeded", len(r.ids)-len(rest), len(r.ids))
			if class := classOf(failed); len(rest) < len(r.ids) ||
				class == protocol.Ambiguous || class == protocol.Unverified || failed.Result == nil {
				return seen, stop(StopUncertain, "%s", failed.Message)
			}
			return seen, errors.New(failed.Message)
		}
	}
}

// pause lies between two attempts of what is under way.
const pause = 2 * time.Second

// isUnderWay reports whether the provider may only need more time.
func isUnderWay(o gate.Outcome) bool {
	switch classOf(o) {
	case protocol.Unverified, protocol.Unavailable, protocol.Throttled, protocol.Timeout:
		return o.Result != nil && o.Result.Status.Observed[protocol.FactRetryable] == "true"
	}
	return false
}

func classOf(o gate.Outcome) protocol.FailureClass {
	if o.Result == nil {
		return ""
	}
	return protocol.FailureClass(o.Result.Status.Observed[protocol.FactFailureClass])
}

// verified reads that what was planned is so.
func (r *run) verified(ctx context.Context) (string, error) {
	state, err := r.look(ctx)
	if err != nil {
		return "", err
	}
	wrong, unseen := state.reached(r.out.Plan)
	seen := fmt.Sprintf("%d of %d changes read to be so", len(r.out.Plan)-len(wrong)-len(unseen),
		len(r.out.Plan))
	if len(unseen) > 0 {
		seen += "; not read: " + strings.Join(unseen, ", ")
	}
	if len(wrong) > 0 {
		return seen, stop(StopUncertain, "%s", strings.Join(wrong, "; "))
	}
	return seen, nil
}

// rollback takes back everything that may be in force.
func (r *run) rollback(ctx context.Context) (string, error) {
	rest, err := r.inForce(ctx)
	if err != nil {
		return "", r.left(err)
	}
	count := len(rest)
	for end := time.Now().Add(r.Patience); len(rest) > 0; {
		outcomes, err := r.Gate.Rollback(ctx, rest, gate.Options{})
		if err != nil {
			return "", r.left(err)
		}
		last := outcomes[len(outcomes)-1]
		for _, o := range outcomes {
			if o.Verdict != gate.Done && o.Verdict != gate.NotReached {
				last = o
			}
		}
		if rest, err = r.inForce(ctx); err != nil {
			return "", r.left(err)
		}
		under := isUnderWay(last) && time.Now().Before(end)
		if len(rest) > 0 && (!under || r.Wait(ctx, pause) != nil) {
			return fmt.Sprintf("%d of %d rolled back", count-len(rest), count),
				r.left(errors.New(last.Message))
		}
	}
	return fmt.Sprintf("%d of %d rolled back", count, count), nil
}

// inForce are the actions of this run that may have changed something.
func (r *run) inForce(ctx context.Context) ([]int64, error) {
	var ids []int64
	for _, id := range r.ids {
		a, err := r.Gate.Store.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		if a.MayHaveChanged || a.Status == gate.Running {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// left notes how to take back by hand what could not be. Where an undo lacks what it needs, since
// nobody knows the result of the action, the action is sent again first: that finds out what is so.
func (r *run) left(err error) error {
	r.out.Left = append(r.out.Left, "the rollback did not end: "+err.Error())
	if unknown := r.withoutFacts(); len(unknown) > 0 {
		r.out.Next = append(r.out.Next, "actionctl execute"+list(unknown)+
			"   # first: it finds out what is so, and what was before")
	}
	r.out.Next = append(r.out.Next, "actionctl rollback"+list(r.ids))
	return err
}

// withoutFacts are the actions that may be in force, and whose undo lacks facts that it requires.
func (r *run) withoutFacts() []int64 {
	ctx := context.Background()
	ids, err := r.inForce(ctx)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(ids, func(id int64) bool {
		undo, err := r.Gate.UndoRequests(ctx, []int64{id}, protocol.Execute)
		if err != nil || len(undo) != 1 {
			return true
		}
		verb, known := r.Gate.Registry.Resolve(undo[0])
		_, faults := r.Gate.Registry.Check(verb, undo[0])
		return !known || len(faults) == 0
	})
}

// asBefore reads the world, and holds it against what it was.
func (r *run) asBefore(ctx context.Context) (string, error) {
	var differs []string
	for end := time.Now().Add(settle); ; {
		state, err := r.look(ctx)
		if err != nil {
			r.out.Left = append(r.out.Left, "whether all is as before could not be read: "+err.Error())
			return "", err
		}
		r.out.After = state
		if differs = state.Differences(r.out.Before); len(differs) == 0 {
			return fmt.Sprintf("%d values read, all as before", len(state)), nil
		}
		// EC2 shows a change late.
		if time.Now().After(end) || r.Wait(ctx, pause) != nil {
			break
		}
	}
	r.out.Left = append(r.out.Left, differs...)
	return "", errors.New("not as before: " + strings.Join(differs, "; "))
}

// settle is how long a reading may show the time before a change.
const settle = 6 * time.Second
