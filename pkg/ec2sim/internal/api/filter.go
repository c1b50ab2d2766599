package api

import (
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
	"aws-provider-executor/pkg/wildcard"
)

// filter is one Filter.N of a request.
type filter struct {
	Name  string
	Value []string
}

// maxFilterValues is EC2's limit over all filters of a call.
const maxFilterValues = 200

// fields are the filters of one kind of resource: what each reads of it. Most kinds have tag:<key>
// and tag-key as well.
type fields[T any] map[string]func(w view, r *T) []string

func one[T any](read func(r *T) string) func(view, *T) []string {
	return func(_ view, r *T) []string { return []string{read(r)} }
}

func many[T any](read func(r *T) []string) func(view, *T) []string {
	return func(_ view, r *T) []string { return read(r) }
}

func yes[T any](read func(r *T) bool) func(view, *T) []string {
	return func(_ view, r *T) []string { return []string{boolText(read(r))} }
}

// optional is for what a resource need not have.
func optional[T any](read func(r *T) string) func(view, *T) []string {
	return func(_ view, r *T) []string {
		if s := read(r); s != "" {
			return []string{s}
		}
		return nil
	}
}

func intText(i int) string { return strconv.Itoa(i) }

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// checkFilters refuses the filters that EC2 refuses.
func checkFilters[T any](
	operation string, filters []filter, known fields[T], tagged bool,
) *refusal.Error {
	values := 0
	for _, f := range filters {
		_, ok := known[f.Name]
		if !ok && !(tagged && isTagFilter(f.Name)) {
			return errFilter(operation, f.Name)
		}
		if len(f.Value) == 0 {
			return refusal.Missing("Filter.Value")
		}
		values += len(f.Value)
	}
	if values > maxFilterValues {
		return refusal.New("FilterLimitExceeded",
			"The maximum number of filter values specified on a single call is %d", maxFilterValues)
	}
	return nil
}

func isTagFilter(name string) bool {
	return name == "tag-key" || strings.HasPrefix(name, "tag:") && name != "tag:"
}

// passes reports whether a resource passes every filter. A filter is passed when any of its values
// matches any of what the field reads.
func passes[T any](w view, r *T, tags world.Tags, filters []filter, known fields[T]) bool {
	for _, f := range filters {
		var have []string
		if read, ok := known[f.Name]; ok {
			have = read(w, r)
		} else if key, ok := strings.CutPrefix(f.Name, "tag:"); ok {
			if value, ok := tags[key]; ok {
				have = []string{value}
			}
		} else {
			for key := range tags {
				have = append(have, key)
			}
		}
		if !slices.ContainsFunc(f.Value, func(pattern string) bool {
			return slices.ContainsFunc(have, func(s string) bool {
				return wildcard.Filter.Match(pattern, s)
			})
		}) {
			return false
		}
	}
	return true
}
