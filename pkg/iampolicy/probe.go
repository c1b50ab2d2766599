package iampolicy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
)

// The names of the checks of a probe.
const (
	// CheckProbeNeeded is about what the provider says is allowed of what is needed.
	CheckProbeNeeded = "iam-probe-needed"
	// CheckProbeExcess is about what it says is allowed and must not be.
	CheckProbeExcess = "iam-probe-excess"
)

// Asker asks the provider whether an identity may do something, and does nothing.
type Asker interface {
	// Heeds fails where the endpoint can't be asked without its doing what it is asked about.
	Heeds(ctx context.Context) error
	// Changes lists the changing actions that can be asked about.
	Changes() []string
	// Ask returns nil where it may, a failure of the class Authorization where it may not, and an
	// error with a method NotAsked where it was not asked.
	Ask(ctx context.Context, action string, of map[action.Kind]string) error
}

// Probe asks the provider itself about what must be allowed and what must not be. What it does not
// tell is Unknown, never Pass. Of names one resource of each kind, to ask about.
func (w *Wanted) Probe(
	ctx context.Context, asker Asker, of map[action.Kind]string,
) []preflight.Check {
	if err := asker.Heeds(ctx); err != nil {
		return []preflight.Check{{Name: CheckProbeNeeded, Verdict: preflight.Unknown,
			Seen:   "nothing was asked: " + err.Error(),
			Advice: "ask with the role's own credentials, at an endpoint that heeds DryRun",
			Facts:  map[string]any{}}}
	}
	var others []string
	for _, name := range asker.Changes() {
		if !slices.Contains(w.actions(), name) {
			others = append(others, name)
		}
	}
	needed, facts := ask(ctx, asker, func(name string) map[action.Kind]string {
		return w.about(name, of)
	}, w.actions(), mustBe)
	excess, refused := ask(ctx, asker, func(string) map[action.Kind]string { return of }, others,
		mustNotBe)
	allowed := checkOf(CheckProbeNeeded, needed,
		fmt.Sprintf("the provider allows all %d actions that are needed", len(facts)),
		"give the role what actionctl iam-policy prints; for what could not be asked, compare its "+
			"policies: actionctl iam-policy --compare")
	allowed.Facts = map[string]any{"asked": facts}
	more := checkOf(CheckProbeExcess, excess,
		fmt.Sprintf("the provider refuses all %d actions that are not needed and were asked about",
			len(refused)),
		"take away what is not needed; name a resource of each kind to have all asked")
	more.Facts = map[string]any{"asked": refused}
	return []preflight.Check{allowed, more}
}

// about leaves out the kinds that an action is not needed on, though it can be called with them: an
// interface is changed with a group or without.
func (w *Wanted) about(name string, of map[action.Kind]string) map[action.Kind]string {
	of = maps.Clone(of)
	maps.DeleteFunc(of, func(kind action.Kind, _ string) bool {
		return kinds[kind].aside && !slices.ContainsFunc(w.Needed, func(p action.Permission) bool {
			return p.Action == name && p.Resource == string(kind)
		})
	})
	return of
}

// ask asks about actions, and finds out what is not as it should be. What was not asked for one
// reason is one finding.
func ask(
	ctx context.Context, asker Asker, about func(string) map[action.Kind]string, actions []string,
	judge func(error) finding,
) (found []finding, facts map[string]any) {
	facts = map[string]any{}
	silent := map[string][]string{}
	for _, name := range actions {
		err := asker.Ask(ctx, name, about(name))
		f := judge(err)
		facts[name] = string(f.verdict)
		switch {
		case notAsked(err):
			silent[err.Error()] = append(silent[err.Error()], name)
		case f.verdict != preflight.Pass:
			found = append(found, finding{f.verdict, name + " " + f.text})
		}
	}
	for _, why := range slices.Sorted(maps.Keys(silent)) {
		found = append(found, finding{preflight.Unknown,
			"not asked about: " + strings.Join(silent[why], ", ") + " (" + why + ")"})
	}
	return found, facts
}

// actions are the names of what is needed, each once.
func (w *Wanted) actions() []string {
	var all []string
	for _, p := range w.Needed {
		all = append(all, p.Action)
	}
	return sortedOnce(all)
}

func refused(err error) bool {
	var f *protocol.Failure
	return errors.As(err, &f) && f.Class == protocol.Authorization
}

func notAsked(err error) bool {
	var not interface{ NotAsked() bool }
	return errors.As(err, &not)
}

func mustBe(err error) finding {
	switch {
	case err == nil:
		return finding{verdict: preflight.Pass}
	case refused(err):
		return finding{preflight.Fail, "is not allowed"}
	}
	return finding{preflight.Unknown, "got no answer that tells: " + err.Error()}
}

func mustNotBe(err error) finding {
	switch {
	case err == nil:
		return finding{preflight.Fail, "is allowed, and nothing here needs it"}
	case refused(err):
		return finding{verdict: preflight.Pass}
	}
	return finding{preflight.Unknown, "got no answer that tells: " + err.Error()}
}
