package ec2sim

import "time"

// change is a world that is being changed, and what the rules of a change need. A refused change
// leaves w half changed: it works on a copy, which is thrown away then.
type change struct {
	w          *world
	now        time.Time
	transition time.Duration // how long an instance or an attachment is between two states
	mint       minter
	quotas     Quotas

	sameRouteRefused bool
}
