package fenceagent

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// The facts of results that decide an exit code.
const (
	factFenced = "fenced"
	factCutOff = "cutOff"
	factState  = "instanceState"
	// detached is what the drift of an interface is that was taken off since the fence.
	detached = "detached"
)

// ask has the executor carry out a request, or tell what it would do.
func (r *run) ask(verb string, mode protocol.Mode, key, instance string,
	params map[string]string) (protocol.Status, error) {
	region, err := r.region()
	if err != nil {
		return protocol.Status{}, err
	}
	settings, faults := plugin.Parse(r.env)
	settings.Timeout = r.left()
	result := r.Executor.Answer(r.ctx, plugin.Call{
		Settings: settings, Env: r.env, Faults: faults, Log: r.untraced,
		Request: bytes.NewReader(protocol.EncodeRequest(protocol.Request{
			Action: verb, Provider: r.Executor.Provider, ProviderRef: r.Name, Mode: mode,
			Target:     map[string]string{"instanceRef": instance, "region": region},
			Parameters: params, IdempotencyKey: key,
		})),
	})
	r.log.Info("the executor says", "verb", verb, "mode", string(mode), "resource", instance,
		"status", string(result.Status.Status), "failureClass", class(result.Status),
		"said", result.Status.Message)
	result.Status.Message = r.inOptions(result.Status.Message)
	return result.Status, nil
}

// inOptions is a text of a verb's, with its parameters by the names of the options.
func (r *run) inOptions(text string) string {
	pairs := []string{"interface<N>Sg", "interface<N>_sg", "EXECUTOR_TIMEOUT", optPowerTimeout}
	for _, o := range r.in.table {
		for _, param := range []string{o.off, o.on} {
			if param != "" && param != o.name {
				pairs = append(pairs, param, o.name)
			}
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// class is the failure class of a result; empty if it did not fail.
func class(s protocol.Status) string { return s.Observed[protocol.FactFailureClass] }

// refusal is a failed result as an error, with the permission that was refused.
func refusal(s protocol.Status) error {
	said := s.Message
	hint := s.Observed[protocol.FactPermissionHint]
	if hint != "" && !strings.Contains(said, hint) {
		said += " (" + hint + ")"
	}
	return errors.New(said)
}

// isOff reports whether a result tells that the instance was read to be cut off.
func isOff(s protocol.Status) bool {
	return s.Status == protocol.Succeeded &&
		(s.Observed[factFenced] == "true" || s.Observed[factCutOff] != "")
}

// each does something for every target, also where it failed for another one, and then waits as
// long as the options say.
func (r *run) each(do func(target) (said string, err error)) (int, error) {
	targets, err := r.targets()
	if err != nil {
		return exitFailed, err
	}
	var failed []string
	for _, t := range targets {
		said, err := do(t)
		if err != nil {
			failed = append(failed, err.Error())
			continue
		}
		r.say("Success: " + said)
	}
	if len(failed) > 0 {
		return exitFailed, errors.New(strings.Join(failed, "; "))
	}
	if wait := time.Duration(r.in.number(optPowerWait)) * time.Second; wait > 0 {
		// What was read to be so stays so: a wait that is cut short is no failure.
		_ = r.Wait(r.ctx, min(wait, r.left()))
	}
	return exitDone, nil
}

// off fences.
func (r *run) off() (int, error) { return r.each(r.fence) }

func (r *run) fence(t target) (string, error) {
	i, err := r.placed(t)
	if err != nil {
		return "", err
	}
	params, err := r.offParams(i)
	if err != nil {
		return "", err
	}
	s, err := r.ask(verbOff, protocol.Execute, r.offKey(t.id, params), t.id, params)
	switch {
	case err != nil:
		return "", err
	case s.Status == protocol.Failed:
		return "", refusal(s)
	case !isOff(s):
		return "", fmt.Errorf("%s was not read to be off: %s", t.id, s.Message)
	}
	return s.Message, nil
}

// on unfences.
func (r *run) on() (int, error) { return r.each(r.unfence) }

// unfence ends all fences of an instance. Where trying again may help, it is tried again.
func (r *run) unfence(t target) (string, error) {
	i, err := r.placed(t)
	if err != nil {
		return "", err
	}
	params, err := r.onParams(i)
	if err != nil {
		return "", err
	}
	pause := time.Duration(r.in.number(optStatusSleep)) * time.Second
	for tries := r.in.number(optRetryOn); ; tries-- {
		s, err := r.endFences(t.id, params)
		switch {
		case err != nil:
			return "", err
		case s.Status != protocol.Failed:
			return r.unfenced(t.id, s)
		case tries > 0 && s.Observed[protocol.FactRetryable] == "true" && r.left() > pause:
			if err := r.wait(pause); err != nil {
				return "", err
			}
		default:
			return r.notUnfenced(t.id, s)
		}
	}
}

// endFences ends all fences of an instance. An interface that was taken off since does not keep
// the others closed.
func (r *run) endFences(id string, params map[string]string) (protocol.Status, error) {
	s, err := r.ask(verbOn, protocol.Execute, onKey(id), id, params)
	if err != nil || s.Observed[protocol.FactDrift] != detached {
		return s, err
	}
	params = maps.Clone(params)
	params["onDrift"] = "restore"
	return r.ask(verbOn, protocol.Execute, onKey(id), id, params)
}

// unfenced says what an end of all fences came to that did not fail. Where nothing tells what was
// there before, an interface must not have the groups of the fence.
func (r *run) unfenced(id string, s protocol.Status) (string, error) {
	switch {
	case s.Observed[protocol.FactTargetGone] == "true", s.Observed[factState] == terminated:
		return "", errors.New(id + " is terminated and can't be on again: " + s.Message)
	case s.Status != protocol.Skipped, r.in.bool(optNoRestore):
		return s.Message, nil
	}
	closed, all, err := r.closed(id)
	switch {
	case err != nil:
		return "", err
	case r.removes() && !all:
		// A fence leaves its groups on no interface: this instance has none.
	case len(closed) > 0:
		return "", fmt.Errorf("%s has the groups of the fence on %s, and nothing tells what was there"+
			" before: give them by interface0_sg and so on beside secg, or by hand; nothing was changed",
			id, strings.Join(closed, ", "))
	}
	return s.Message, nil
}

// notUnfenced says what a failed end of all fences comes to. Where somebody else gave the
// interfaces other groups than the fence's, there is no fence, and their groups stay.
func (r *run) notUnfenced(id string, s protocol.Status) (string, error) {
	if class(s) != string(protocol.Drift) {
		return "", refusal(s)
	}
	if closed, _, err := r.closed(id); err != nil || len(closed) > 0 {
		return "", refusal(s)
	}
	return id + " is not fenced: somebody gave its interfaces other groups since, and they stay", nil
}
