package history

import "slices"

// Whole reports whether some entries may be all of a history. They are not if two of them have the
// same place, or if one of a run with open actions was made on top of an entry that is not there.
// That an entry is missing which no other one was made on top of can't be told from the rest.
func Whole(entries []Entry) bool {
	for i, e := range entries {
		same := func(o Entry) bool { return o.Seq == e.Seq }
		if slices.ContainsFunc(entries[i+1:], same) {
			return false
		}
	}
	v := At(entries, "")
	missing := func(e Entry) bool {
		// What a release ended may be gone.
		return e.On > v.release.Ends && !hasPlace(entries, e.On)
	}
	for end := len(v.entries); end > 0; {
		first := v.runBelow(end)
		run := v.entries[first:end]
		if anyOpen(run) && slices.ContainsFunc(run, missing) {
			return false
		}
		end = first
	}
	return true
}

// hasPlace reports whether one of some entries has a place.
func hasPlace(entries []Entry, seq int64) bool {
	return slices.ContainsFunc(entries, func(e Entry) bool { return e.Seq == seq })
}
