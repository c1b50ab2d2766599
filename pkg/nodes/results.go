package nodes

import "time"

// Result is how one run of a node, or one scan of it, ended.
type Result struct {
	ID      string       `json:"id"`
	Status  ResultStatus `json:"status"`
	EndTime time.Time    `json:"endTime"`
}

// ResultStatus says how.
type ResultStatus string

const (
	// ResultUnknown is that of a result of which nobody says how it ended.
	ResultUnknown ResultStatus = "unknown"
	// ResultPassed is that of one that ended well.
	ResultPassed ResultStatus = "passed"
	// ResultFailed is that of one that did not.
	ResultFailed ResultStatus = "failed"
	// ResultSkipped is that of one that was not begun.
	ResultSkipped ResultStatus = "skipped"
)

// ResultStatuses are all of them, in a fixed order.
func ResultStatuses() []ResultStatus {
	return []ResultStatus{ResultUnknown, ResultPassed, ResultFailed, ResultSkipped}
}

// Results are the last result and the last but one, by when they ended.
type Results struct {
	Last        *Result `json:"last,omitempty"`
	Penultimate *Result `json:"penultimate,omitempty"`
}

// Add takes a result to where its end time puts it. One that is known already takes no place twice:
// of two with one id the later holds.
func (r *Results) Add(x Result) {
	all := []Result{x}
	for _, known := range []*Result{r.Last, r.Penultimate} {
		switch {
		case known == nil:
		case known.ID == x.ID && known.EndTime.After(x.EndTime):
			all[0] = *known
		case known.ID != x.ID:
			all = append(all, *known)
		}
	}
	*r = Results{}
	for _, x := range all {
		switch {
		case r.Last == nil || x.after(*r.Last):
			r.Last, r.Penultimate = &x, r.Last
		case r.Penultimate == nil || x.after(*r.Penultimate):
			r.Penultimate = &x
		}
	}
}

// after orders results; the id decides where two ended at once.
func (x Result) after(y Result) bool {
	if c := x.EndTime.Compare(y.EndTime); c != 0 {
		return c > 0
	}
	return x.ID > y.ID
}

func (r Results) clone() Results {
	for _, x := range []**Result{&r.Last, &r.Penultimate} {
		if *x != nil {
			c := **x
			*x = &c
		}
	}
	return r
}

// StatusOf is the status of a result; empty where there is none.
func (x *Result) StatusOf() ResultStatus {
	if x == nil {
		return ""
	}
	return x.Status
}

// EndedAt is when a result ended; zero where there is none.
func (x *Result) EndedAt() time.Time {
	if x == nil {
		return time.Time{}
	}
	return x.EndTime
}

// holdTo has no result that ended after now.
func (r *Results) holdTo(now time.Time) {
	r.Last, r.Penultimate = r.Last.endedBy(now), r.Penultimate.endedBy(now)
}
