// Package world is what EC2 holds in one region, and the rules by which that may change. It knows
// no requests: what breaks a rule is refused as EC2 refuses it, and that is all it knows of the
// wire.
package world

import "time"

// AssumeRole is what a caller asks of STS.
type AssumeRole struct {
	Caller, RoleARN, SessionName, ExternalID string

	Lasts time.Duration
}

// Session is what STS gives who assumes a role.
type Session struct {
	AccessKeyID, SecretAccessKey, Token, ARN string

	Expires time.Time
}

// Change is a world that is being changed, and what the rules of a change need. A refused change
// leaves World half changed: it works on a copy, which is thrown away then.
type Change struct {
	World      *World
	Now        time.Time
	Transition time.Duration // how long an instance or an attachment is between two states
	Mint       Minter
	Quotas     Quotas
	// Shown is how long a terminated instance is described.
	Shown time.Duration

	// Caller is the ARN of who calls, and Endpoint the URL at which it called.
	Caller, Endpoint string
	// Roles are those of IAM.
	Roles []Role
	// Alias is what people call the caller's account.
	Alias string
	// Regions returns EC2's regions, as the caller's account sees them.
	Regions func() []RegionStatus
	// Assume makes a session of a role that STS lets others assume.
	Assume func(AssumeRole) (Session, error)

	SameRouteRefused bool
}
