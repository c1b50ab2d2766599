package action

import (
	"slices"

	"aws-provider-executor/pkg/history"
)

// InForce returns the entries of a history that are neither undone nor ended by a release.
func InForce(all []Recorded) []Recorded {
	ended := int64(0)
	for _, r := range all {
		if r.Ends != 0 && r.State == history.Live {
			ended = max(ended, r.Ends)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(r Recorded) bool {
		return r.Ends != 0 || r.Seq <= ended || r.State == history.Withdrawn
	})
}
