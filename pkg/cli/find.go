package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
)

// find takes an id or an idempotency key. What is the id of one action and the key of another is
// refused; id=ID and key=KEY say which is meant, unless that is the key of yet another.
func find(ctx context.Context, s gate.Store, name string) (gate.Action, error) {
	number, isID := strings.CutPrefix(name, "id=")
	var byID, byKey gate.Action
	errID, errKey := gate.ErrNotFound, gate.ErrNotFound
	if id, err := strconv.ParseInt(number, 10, 64); err == nil && strconv.FormatInt(id, 10) == number {
		byID, errID = s.Get(ctx, id)
	}
	if !isID {
		byKey, errKey = s.Find(ctx, strings.TrimPrefix(name, "key="))
	}
	if err := cmp.Or(unread(errID), unread(errKey)); err != nil {
		return gate.Action{}, err
	}
	if meant := cmp.Or(byID.ID, byKey.ID); meant != 0 && isPrefixed(name) {
		other := strconv.FormatInt(meant, 10)
		if isID {
			other = "key=" + printable(byID.IdempotencyKey)
		}
		if err := literally(ctx, s, name, meant, other); err != nil {
			return gate.Action{}, err
		}
	}
	switch {
	case errID != nil && errKey != nil:
		return gate.Action{}, fmt.Errorf(
			"there is no action %q in the journal; actionctl list tells which there are", name)
	case errID != nil:
		return byKey, nil
	case errKey == nil && byKey.ID != byID.ID:
		return gate.Action{}, usage(
			"%q is the id of action %d (%s) and the key of action %d: say id=%s or key=%s",
			name, byID.ID, printable(byID.IdempotencyKey), byKey.ID, name, name)
	}
	return byID, nil
}

// unread is an error of reading, which not to find is none.
func unread(err error) error {
	if errors.Is(err, gate.ErrNotFound) {
		return nil
	}
	return err
}

// literally refuses a name with a prefix that is, as it stands, the key of another action than the
// one that is meant. Other is what to say instead.
func literally(ctx context.Context, s gate.Store, name string, meant int64, other string) error {
	switch literal, err := s.Find(ctx, name); {
	case err == nil && literal.ID != meant:
		return usage("%q means action %d and is the key of action %d: say %s or key=%s",
			name, meant, literal.ID, other, printable(name))
	default:
		return unread(err)
	}
}

// isPrefixed reports whether a name says which is meant.
func isPrefixed(name string) bool {
	return strings.HasPrefix(name, "id=") || strings.HasPrefix(name, "key=")
}

// findAll takes ids or idempotency keys, each once.
func findAll(ctx context.Context, s gate.Store, names []string) ([]int64, error) {
	var ids []int64
	var errs []error
	for _, name := range names {
		x, err := find(ctx, s, name)
		switch {
		case err != nil:
			errs = append(errs, err)
		case !slices.Contains(ids, x.ID):
			ids = append(ids, x.ID)
		}
	}
	return ids, errors.Join(errs...)
}

// completed is how many actions of a status a completion offers, the newest.
const completed = 50

// completionTime is how long a completion waits for a journal on a server.
const completionTime = 2 * time.Second

// completeActions offers the ids of actions that are of one of the statuses, with their keys, or
// the keys where one is begun. It makes no journal.
func (a *app) completeActions(statuses ...gate.Status) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		const nothingElse = cobra.ShellCompDirectiveNoFileComp
		path, err := a.journalFile()
		if err != nil {
			return nil, nothingElse
		}
		if !mayBeThere(path) {
			return nil, nothingElse
		}
		ctx, cancel := context.WithTimeout(c.Context(), completionTime)
		defer cancel()
		j, err := a.openJournal(ctx)
		if err != nil {
			return nil, nothingElse
		}
		defer j.Close()
		byKey := strings.Trim(begun, "0123456789") != ""
		var offered []string
		for _, status := range statuses {
			q := gate.Query{Newest: true, Limit: completed}
			if status != "" {
				q.Statuses = []gate.Status{status}
			}
			actions, err := j.List(ctx, q)
			if err != nil {
				return nil, nothingElse
			}
			for _, x := range actions {
				name, about := strconv.FormatInt(x.ID, 10), printable(x.IdempotencyKey)+", "+string(x.Status)
				if byKey {
					name, about = x.IdempotencyKey, string(x.Status)
				}
				if byKey && isPrefixed(name) {
					name = "key=" + name
				}
				if strings.HasPrefix(name, begun) && !slices.Contains(args, name) && printable(name) == name {
					offered = append(offered, cobra.CompletionWithDesc(name, about))
				}
			}
		}
		return offered, nothingElse
	}
}

// eachNamed does something with each action of the journal that is named by its id or its key, in
// that order, until it fails.
func (a *app) eachNamed(
	ctx context.Context, names []string, do func(*journal.Journal, gate.Action) error,
) error {
	j, err := a.openJournal(ctx)
	if err != nil {
		return err
	}
	defer j.Close()
	ids, err := findAll(ctx, j, names)
	if err != nil {
		return err
	}
	for _, id := range ids {
		x, err := j.Get(ctx, id)
		if err != nil {
			return err
		}
		if err := do(j, x); err != nil {
			return err
		}
	}
	return nil
}
