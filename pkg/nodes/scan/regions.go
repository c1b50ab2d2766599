package scan

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/nodes"
)

// regions are those of a manager: those that are enabled and that it covers, those that it names by
// their whole name, and those that it has read before.
func (s *Scanner) regions(
	ctx context.Context, m nodes.Manager, cloud Cloud, account string,
) ([]Region, *Failure) {
	listed, f := s.listed(ctx, m, cloud)
	if f != nil {
		return nil, f
	}
	before, err := s.store.Regions(ctx, m.ID)
	if err != nil {
		return nil, failureOf(fmt.Errorf("the store can't tell which regions were read: %w", err))
	}
	known := map[place]bool{}
	for _, r := range before {
		known[place{r.AccountID, r.Region}] = true
	}
	var list []Region
	for _, r := range listed {
		r.Account = cmp.Or(r.Account, account)
		wanted := r.Enabled || known[place{r.Account, r.Name}] || slices.Contains(m.Regions, r.Name)
		if wanted && m.Covers(r.Account, r.Name) {
			list = append(list, r)
		}
	}
	if m.SeesSeveral() {
		list = unread(m, before, list)
	}
	if len(list) == 0 {
		return nil, &Failure{Verdict: nodes.Disabled, Reason: fmt.Sprintf(
			"no enabled region is one of %s", strings.Join(m.Regions, ", "))}
	}
	return list, nil
}

// unread has the regions that a manager has read before be told of though they can't be read: in an
// account that its identity does not see any more, and in one that failed as a whole.
func unread(m nodes.Manager, before []nodes.RegionScan, listed []Region) []Region {
	failures := map[string]*Failure{} // by account; nil where it did not fail as a whole
	for _, r := range listed {
		failures[r.Account] = nil
		if r.Name == "" {
			failures[r.Account] = r.Failed
		}
	}
	told := map[string]bool{}
	var list []Region
	for _, r := range before {
		failed, seen := failures[r.AccountID]
		if !seen {
			failed = &Failure{Verdict: nodes.Denied,
				Reason: "the identity does not see " + r.AccountID + " any more"}
		}
		if failed != nil && m.Covers(r.AccountID, r.Region) {
			told[r.AccountID] = true
			list = append(list, Region{Name: r.Region, Account: r.AccountID, Failed: failed})
		}
	}
	for _, r := range listed {
		if r.Failed == nil || !told[r.Account] {
			list = append(list, r)
		}
	}
	return list
}

// listed are the regions that there are. Where they may not be listed, those that the manager names
// by their whole name will do.
func (s *Scanner) listed(ctx context.Context, m nodes.Manager, cloud Cloud) ([]Region, *Failure) {
	var list []Region
	f := s.call(ctx, place{}, nil, func(ctx context.Context) (err error) {
		list, err = cloud.Regions(ctx)
		return err
	})
	if f == nil {
		names := wholeNames(m.Regions)
		missing := unlisted(names, list)
		known := func(r Region) bool { return slices.Contains(names, r.Name) }
		if len(missing) > 0 && len(names) == len(m.Regions) && !slices.ContainsFunc(list, known) {
			return nil, missing[0].Failed
		}
		return append(list, missing...), nil
	}
	names := wholeNames(m.Regions)
	if f.Verdict != nodes.Denied || len(names) == 0 || len(names) < len(m.Regions) || m.SeesSeveral() {
		f.Reason = "the regions can't be listed: " + f.Reason
		return nil, f
	}
	for _, name := range names {
		list = append(list, Region{Name: name, Enabled: true})
	}
	return list, nil
}

// unlisted are the names that no account's list of regions has. They can't be read, and take
// nothing from the others.
func unlisted(wanted []string, list []Region) (all []Region) {
	names := map[string][]string{} // by account
	for _, r := range list {
		if r.Failed != nil {
			// Of an account whose list is not known nothing is missing.
			return nil
		}
		names[r.Account] = append(names[r.Account], r.Name)
	}
	for _, name := range wanted {
		if slices.ContainsFunc(list, func(r Region) bool { return r.Name == name }) {
			continue
		}
		for _, account := range slices.Sorted(maps.Keys(names)) {
			why := "the account's list of regions does not have " + name
			if near := nodes.Nearest(name, names[account]); near != "" {
				why += "; did you mean " + near + "?"
			}
			all = append(all, Region{Name: name, Account: account,
				Failed: &Failure{Verdict: nodes.Disabled, Reason: why}})
		}
	}
	return all
}

// wholeNames are the patterns that stand for themselves only.
func wholeNames(patterns []string) []string {
	var names []string
	for _, p := range patterns {
		if !strings.ContainsAny(p, `*?\`) {
			names = append(names, p)
		}
	}
	return names
}
