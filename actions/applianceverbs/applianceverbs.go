// Package applianceverbs lists the verbs of the provider appliance, by hand, in one place. They act
// on what runs in instances, and on what such appliances share. The plugin of a core has none of
// them.
package applianceverbs

import (
	"slices"

	"aws-provider-executor/actions/appliance"
	"aws-provider-executor/actions/license"
	"aws-provider-executor/pkg/action"
)

// Provider is what requests for these verbs name as their provider.
const Provider = "appliance"

// Verbs returns every verb of the provider.
func Verbs() []action.Verb {
	return slices.Concat(
		appliance.Verbs(),
		license.Verbs(),
	)
}

// Registry returns them as the provider's executor has them.
func Registry() *action.Registry { return action.NewRegistry(Verbs()) }
