package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
	display "aws-provider-executor/pkg/printable"
	"aws-provider-executor/pkg/protocol"
)

func (a *app) undo() *cobra.Command {
	var u undoing
	c := &cobra.Command{
		Use:   "undo --request R --result S | undo [-f PAIRS] | undo ID...|--all",
		Short: "print the request that undoes an action",
		Long: `undo prints the request that undoes an action, and asks nobody: of a request and its
result; of pairs of them ({"request": ..., "result": ...}), one after the other on standard input
or in a file; or of actions in a journal, a core's too. Several are printed a line each, the last
first, for run -f -. What --all leaves out is told, and it ends with 3 then.`,
		Example: `  actionctl undo --request request.json --result result.json
  actionctl undo 7 --mode dry-run
  actionctl undo --all | actionctl run -f - --policy policy.yaml`,
		Args:              func(_ *cobra.Command, args []string) error { return u.check(args) },
		ValidArgsFunction: a.completeActions(gate.Succeeded, gate.Failed),
		RunE: func(c *cobra.Command, args []string) error {
			requests, leftOut, err := u.requests(c.Context(), a, args)
			if err != nil {
				return err
			}
			a.explain(leftOut, true)
			if err := a.printRequests(requests); err != nil || len(leftOut) == 0 {
				return err
			}
			return exit(ExitRefused)
		},
	}
	c.Flags().StringVar(&u.request, "request", "", "the request's `file`; - is standard input")
	c.Flags().StringVar(&u.result, "result", "", "the result's `file`; - is standard input")
	c.Flags().VarP(&once{to: &u.pairs}, "file", "f", "the `file` with pairs; default standard input")
	c.Flags().BoolVar(&u.all, "all", false, "all actions of the journal that are in force")
	c.Flags().StringVar(&u.mode, "mode", string(protocol.Execute),
		"the `mode` of the undo request: dry-run or execute")
	_ = c.RegisterFlagCompletionFunc("mode", completeMode)
	return c
}

// undoing is what undo is told.
type undoing struct {
	request, result, pairs, mode string
	all                          bool
}

func (u *undoing) check(args []string) error {
	single := u.request != "" || u.result != ""
	ways := 0
	for _, way := range []bool{single, u.all, len(args) > 0, u.pairs != ""} {
		if way {
			ways++
		}
	}
	switch {
	case u.mode != string(protocol.DryRun) && u.mode != string(protocol.Execute):
		return usage("--mode is %q, want dry-run or execute", u.mode)
	case single && (u.request == "" || u.result == ""):
		return usage("--request and --result go together")
	case u.request == "-" && u.result == "-":
		return usage("standard input can't be both the request and the result: send pairs")
	case ways > 1:
		return usage(
			"undo takes a request and its result, or pairs, or ids of actions, or --all: one of them")
	}
	return nil
}

// requests makes the undo requests, and tells what of a journal was left out.
func (u *undoing) requests(
	ctx context.Context,
	a *app,
	args []string,
) (requests []protocol.Request, leftOut []gate.Outcome, err error) {
	switch {
	case u.request != "":
		requests, err = u.single(a)
	case u.all || len(args) > 0:
		return u.fromJournal(ctx, a, args)
	default:
		requests, err = u.fromPairs(a)
	}
	return requests, nil, err
}

func (u *undoing) single(a *app) ([]protocol.Request, error) {
	request, err := a.read(u.request)
	if err != nil {
		return nil, fmt.Errorf("cannot read the request: %w", err)
	}
	result, err := a.read(u.result)
	if err != nil {
		return nil, fmt.Errorf("cannot read the result: %w", err)
	}
	r, err := u.undo(a, request, result)
	return []protocol.Request{r}, err
}

func (u *undoing) fromPairs(a *app) ([]protocol.Request, error) {
	data, err := a.read(firstOf(u.pairs, "-"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the pairs: %w", err)
	}
	pairs, err := protocol.SplitJSON(data)
	if err != nil {
		return nil, fmt.Errorf("pair %d is no JSON: %w", len(pairs)+1, err)
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("%s is empty: undo wants pairs ({\"request\": ..., \"result\": ...}), "+
			"or ids of actions, or --all", firstOf(u.pairs, "standard input"))
	}
	var requests []protocol.Request
	for i, pair := range pairs {
		n := i + 1
		request, result, err := parts(pair.Raw)
		if err != nil {
			return nil, fmt.Errorf("pair %d: %w", n, err)
		}
		r, err := u.undo(a, request, result)
		var none *nothingToUndo
		if errors.As(err, &none) {
			fmt.Fprintf(a.stderr, "actionctl: pair %d left out: %v\n", n, err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("pair %d: %w", n, err)
		}
		requests = append(requests, r)
	}
	slices.Reverse(requests)
	return requests, nil
}

// parts takes a pair apart.
func parts(pair []byte) (request, result []byte, err error) {
	v, err := protocol.ReadOneJSON(pair, protocol.MaxRequestDepth+1)
	if err != nil {
		return nil, nil, err
	}
	if v.Kind != protocol.JSONObject {
		return nil, nil, fmt.Errorf("is %s, want an object with request and result", v.Kind)
	}
	for _, m := range v.Members {
		switch m.Key {
		case "request":
			request = m.Value.Raw
		case "result":
			result = m.Value.Raw
		}
	}
	return request, result, nil
}

// nothingToUndo says that an action left nothing to undo.
type nothingToUndo struct{ text string }

func (e *nothingToUndo) Error() string { return e.text }

// undo makes the undo request of a request and its result.
func (u *undoing) undo(a *app, request, result []byte) (protocol.Request, error) {
	r, faults := protocol.Decode(bytes.NewReader(request))
	if len(faults) > 0 {
		return r, fmt.Errorf("the request: %w", faults)
	}
	s, faults := protocol.DecodeResult(result)
	if len(faults) > 0 {
		return r, fmt.Errorf("the result: %w", faults)
	}
	verb, known := a.Registry.Resolve(r)
	switch {
	case !known:
		return r, fmt.Errorf(
			"the request's action %s is unknown%s, want one of %s",
			protocol.Quote(r.Action),
			a.Registry.Meant(r.Action),
			a.Registry.Names(),
		)
	case verb.Undo == "":
		return r, fmt.Errorf("%s can't be undone", r.Action)
	case r.Mode == protocol.DryRun:
		return r, &nothingToUndo{"it was a dry-run, which changed nothing"}
	case s.Status.Status != protocol.Succeeded && !s.Status.UndoAvailable:
		return r, &nothingToUndo{
			fmt.Sprintf("it %s, and its result says that there is nothing to undo", s.Status.Status),
		}
	}
	r.Mode = protocol.Mode(u.mode)
	return protocol.UndoOf(r, verb.Undo, s.Status.Observed, nil), nil
}

func (u *undoing) fromJournal(
	ctx context.Context,
	a *app,
	args []string,
) (requests []protocol.Request, leftOut []gate.Outcome, err error) {
	g, done, err := a.openGate(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	var ids []int64
	if u.all {
		ids, leftOut, err = g.InForce(ctx, gate.Query{})
	} else {
		ids, err = findAll(ctx, g.Store, args)
	}
	if err != nil {
		return nil, nil, err
	}
	requests, err = g.UndoRequests(ctx, ids, protocol.Mode(u.mode))
	return requests, leftOut, err
}

// printRequests writes one request as a document, several a line each.
func (a *app) printRequests(requests []protocol.Request) error {
	if len(requests) == 1 || a.format == "yaml" {
		for _, r := range requests {
			if err := a.printDocument(json.RawMessage(protocol.EncodeRequest(r))); err != nil {
				return err
			}
		}
		return nil
	}
	for _, r := range requests {
		if _, err := a.stdout.Write(display.JSON(protocol.EncodeRequest(r))); err != nil {
			return err
		}
	}
	return nil
}
