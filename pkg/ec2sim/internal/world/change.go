// Package world is what EC2 holds in one region, and the rules by which that may change. It knows
// no requests: what breaks a rule is refused as EC2 refuses it, and that is all it knows of the
// wire.
package world

import "time"

// Change is a world that is being changed, and what the rules of a change need. A refused change
// leaves World half changed: it works on a copy, which is thrown away then.
type Change struct {
	World      *World
	Now        time.Time
	Transition time.Duration // how long an instance or an attachment is between two states
	Mint       Minter
	Quotas     Quotas

	// Caller is the ARN of who calls.
	Caller string
	// Roles are those of IAM.
	Roles []Role

	SameRouteRefused bool
}
