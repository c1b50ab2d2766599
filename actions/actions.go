// Package actions lists the verbs, by hand, in one place.
package actions

import (
	"slices"
	"time"

	"aws-provider-executor/actions/forwarding"
	"aws-provider-executor/actions/route"
	"aws-provider-executor/actions/secondaryip"
	"aws-provider-executor/actions/sgfence"
	"aws-provider-executor/pkg/action"
)

// Registry returns every verb the executor knows.
func Registry() *action.Registry {
	return action.NewRegistry(slices.Concat(
		secondaryip.Verbs(),
		forwarding.Verbs(),
		route.Verbs(),
		sgfence.Verbs(time.Now),
	))
}
