package filter

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/nodes"
)

// Explanation says how a filter was read.
type Explanation struct {
	// Filter is a text that is read as the same filter.
	Filter     string      `json:"filter"`
	Conditions []Explained `json:"conditions"`
	EC2        Question    `json:"ec2"`
	Notes      []string    `json:"notes,omitempty"`
}

// Explained is how one condition was read.
type Explained struct {
	Field   string   `json:"field"`
	Exclude bool     `json:"exclude"`
	Values  []string `json:"values"`
	// ReadAs is what was written, where it is another name.
	ReadAs string `json:"readAs,omitempty"`
	// Says says it in words.
	Says string `json:"says"`
	// AskedOfEC2 is set where EC2 applies it itself.
	AskedOfEC2 bool `json:"askedOfEc2"`
}

// Question is what is asked of EC2 for a filter; what EC2 can't answer is matched here.
type Question struct {
	// Regions and ExcludedRegions are patterns; no region is asked that they leave out.
	Regions         []string    `json:"regions,omitempty"`
	ExcludedRegions []string    `json:"excludedRegions,omitempty"`
	Filters         []EC2Filter `json:"filters"`
	// Here are the fields that are matched here.
	Here []string `json:"matchedHere"`
}

// EC2Filter is a filter of EC2's DescribeInstances.
type EC2Filter struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// mostEC2Values is how many values a filter of EC2 may have.
const mostEC2Values = 200

// EC2 is what is asked of EC2 for a filter.
func (f *Filter) EC2() Question {
	q := Question{Filters: []EC2Filter{}, Here: []string{}}
	for _, c := range f.conditions {
		switch {
		case c.Field.Name == "region" && c.Exclude:
			q.ExcludedRegions = append(q.ExcludedRegions, c.Patterns...)
		case c.Field.Name == "region":
			q.Regions = append(q.Regions, c.Patterns...)
		case c.isEC2():
			q.Filters = append(q.Filters, EC2Filter{Name: c.Field.ec2, Values: c.Patterns})
		default:
			q.Here = append(q.Here, c.Field.Name)
		}
	}
	return q
}

// HasRegion reports whether a region is asked.
func (f *Filter) HasRegion(region string) bool {
	for _, c := range f.conditions {
		if c.Field.Name == "region" && c.HasText(region) == c.Exclude {
			return false
		}
	}
	return true
}

// isEC2 reports whether EC2 applies a condition just as it is meant.
func (c *Condition) isEC2() bool {
	if c.Exclude || c.Field.ec2 == "" || len(c.Patterns) > mostEC2Values {
		return false
	}
	if slices.Contains(c.Patterns, "") && !strings.HasPrefix(c.Field.Name, tagPrefix) {
		return false
	}
	// States that are ours only are none of EC2's.
	ours := func(p string) bool {
		return p == string(nodes.StateUnknown) || p == string(nodes.StateMissing)
	}
	return c.Field.Name != "state" || !slices.ContainsFunc(c.Patterns, ours)
}

// Explain says how a filter was read.
func (f *Filter) Explain() Explanation {
	e := Explanation{Filter: f.String(), Conditions: []Explained{}, EC2: f.EC2()}
	for _, c := range f.conditions {
		x := Explained{
			Field: c.Field.Name, Exclude: c.Exclude, Values: c.values(), ReadAs: c.ReadAs,
			Says: c.says(), AskedOfEC2: c.isEC2() || c.Field.Name == "region",
		}
		e.Conditions = append(e.Conditions, x)
	}
	if f.IsEmpty() {
		e.Notes = append(e.Notes, "without a condition every node is meant")
	}
	return e
}

func (c *Condition) values() []string {
	if c.Field.Kind != Time {
		return slices.Clone(c.Patterns)
	}
	all := make([]string, len(c.Ranges))
	for i, r := range c.Ranges {
		all[i] = r.From.Format(time.RFC3339) + ".." + r.To.Format(time.RFC3339)
	}
	return all
}

// says says a condition in words.
func (c *Condition) says() string {
	all := make([]string, 0, len(c.Patterns)+len(c.Ranges))
	for _, p := range c.Patterns {
		how := "is"
		if isPattern(p) {
			how = "is like"
		}
		all = append(all, fmt.Sprintf("%s %q", how, p))
	}
	for _, r := range c.Ranges {
		all = append(all, fmt.Sprintf("is from %s to %s", r.From.Format(time.RFC3339),
			r.To.Format(time.RFC3339)))
	}
	text := c.Field.Doc + " " + strings.Join(all, " or ")
	if c.Exclude {
		return "not where " + text
	}
	return text
}

// isPattern reports whether a value has a wildcard in it.
func isPattern(p string) bool {
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '*', '?':
			return true
		case '\\':
			i++
		}
	}
	return false
}
