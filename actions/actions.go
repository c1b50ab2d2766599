// Package actions lists the verbs, by hand, in one place.
package actions

import (
	"context"
	"slices"
	"time"

	"aws-provider-executor/actions/forwarding"
	"aws-provider-executor/actions/lifecycleaction"
	"aws-provider-executor/actions/networkinterface"
	"aws-provider-executor/actions/power"
	"aws-provider-executor/actions/protection"
	"aws-provider-executor/actions/publicaddress"
	"aws-provider-executor/actions/route"
	"aws-provider-executor/actions/runcommand"
	"aws-provider-executor/actions/secondaryip"
	"aws-provider-executor/actions/sgfence"
	"aws-provider-executor/actions/tags"
	"aws-provider-executor/pkg/action"
)

// Registry returns every verb the executor knows.
func Registry() *action.Registry {
	return RegistryAt(sgfence.Clock{Now: time.Now, Wait: wait})
}

// RegistryAt is Registry with another clock.
func RegistryAt(clock sgfence.Clock) *action.Registry {
	return action.NewRegistry(slices.Concat(
		secondaryip.Verbs(),
		forwarding.Verbs(),
		route.Verbs(),
		sgfence.Verbs(clock),
		power.Verbs(),
		tags.Verbs(),
		runcommand.Verbs(clock.Now),
		networkinterface.Verbs(),
		publicaddress.Verbs(),
		protection.Verbs(),
		lifecycleaction.Verbs(),
	))
}

// wait returns after a duration, or with the context's error if that ends first.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
