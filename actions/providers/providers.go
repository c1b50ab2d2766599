// Package providers lists the providers whose verbs a gate lets through, by hand, in one place. A
// plugin imports the verbs of its own provider alone.
package providers

import (
	"aws-provider-executor/actions"
	"aws-provider-executor/actions/applianceverbs"
	"aws-provider-executor/pkg/action"
)

// Registry returns the verbs of EC2, with those of each other provider beside them.
func Registry() *action.Registry {
	return actions.Registry().With(applianceverbs.Provider, applianceverbs.Verbs())
}
