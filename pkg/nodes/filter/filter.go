// Package filter says which nodes are meant. One filter means the same wherever it is used: on a
// node in hand, on those of a store, and on what a cloud shows.
//
// It guarantees: the values of a condition are alternatives, all conditions must hold, and each
// exclusion holds by itself. A value without a wildcard is exact. * stands for any text, ? for one
// character or none, and a backslash takes the next character literally, as in EC2's filters. What
// can't be meant is refused: an unknown field, a value that a field never has, an empty value.
//
// Texts that were read stay understood, and mean the same.
package filter

import (
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/wildcard"
)

// Filter is a filter that was read. The zero filter has all nodes.
type Filter struct{ conditions []Condition }

// Condition is one of a filter's.
type Condition struct {
	Field Field
	// Exclude leaves out the nodes that have one of the values.
	Exclude bool
	// Patterns are the values, as the wildcard package reads them; of times there are Ranges.
	Patterns []string
	Ranges   []Range
	// ReadAs is the key as it was written, where it is another name of the field or of a tag.
	ReadAs string
}

// Range is a time between two; both ends are in it.
type Range struct{ From, To time.Time }

// Conditions are those of a filter, in the order in which they were written.
func (f *Filter) Conditions() []Condition { return slices.Clone(f.conditions) }

// IsEmpty reports whether the filter has all nodes.
func (f *Filter) IsEmpty() bool { return len(f.conditions) == 0 }

// Match reports whether the filter has a node. Managers are all that there are.
func (f *Filter) Match(n *nodes.Node, managers []nodes.Manager) bool {
	for _, c := range f.conditions {
		if c.has(n, managers) == c.Exclude {
			return false
		}
	}
	return true
}

// has reports whether a node has one of the values of a condition.
func (c *Condition) has(n *nodes.Node, managers []nodes.Manager) bool {
	switch c.Field.Kind {
	case Time:
		return c.HasTime(c.Field.time(n))
	case Manager:
		return slices.ContainsFunc(c.Managers(managers), n.HasManager)
	case Several:
		return slices.ContainsFunc(n.Values()[c.Field.Name], c.HasText)
	}
	return slices.ContainsFunc(c.Field.texts(n), c.HasText)
}

// HasText reports whether one of the patterns matches.
func (c *Condition) HasText(text string) bool {
	return slices.ContainsFunc(c.Patterns, func(p string) bool {
		return wildcard.Filter.Match(p, text)
	})
}

// HasTime reports whether a time is in one of the ranges. What never happened is in none.
func (c *Condition) HasTime(t time.Time) bool {
	return !t.IsZero() && slices.ContainsFunc(c.Ranges, func(r Range) bool {
		return !t.Before(r.From) && !t.After(r.To)
	})
}

// Managers are the ids of those managers that a condition on managers asks for.
func (c *Condition) Managers(all []nodes.Manager) []string {
	var ids []string
	for _, m := range all {
		if slices.ContainsFunc(c.Field.ofManager(m), c.HasText) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// String is a text that is read as the same filter.
func (f *Filter) String() string {
	all := make([]string, len(f.conditions))
	for i, c := range f.conditions {
		all[i] = c.String()
	}
	return strings.Join(all, ",")
}

// String is a text that is read as the same condition.
func (c *Condition) String() string {
	var b strings.Builder
	if c.Exclude {
		b.WriteString("!")
	}
	b.WriteString(escapeKey(c.Field.Name) + "=")
	for i, v := range c.Patterns {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(escapeValue(v))
	}
	for i, r := range c.Ranges {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(r.From.Format(time.RFC3339Nano) + ".." + r.To.Format(time.RFC3339Nano))
	}
	return b.String()
}

func escapeKey(key string) string {
	return strings.NewReplacer(`\`, `\\`, ",", `\,`, "=", `\=`, " ", `\ `).Replace(key)
}

// escapeValue is a pattern as a value is written: what would end it has a backslash before it.
func escapeValue(pattern string) string {
	if pattern == "" {
		return empty
	}
	var b strings.Builder
	escaped := false
	for i, c := range pattern {
		special := strings.ContainsRune(",= \t\"", c) || c == '!' && i == 0
		if special && !escaped {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
		escaped = c == '\\' && !escaped
	}
	return b.String()
}
