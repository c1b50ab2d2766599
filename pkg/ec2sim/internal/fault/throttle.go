package fault

import (
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// rate is a token bucket's size and what flows into it per second.
type rate struct{ size, refill float64 }

// EC2's documented figures, per account, region and action.
var (
	defaultDescribe = rate{100, 20}
	plainDescribe   = rate{50, 10}
	otherChange     = rate{50, 5}

	actionRates = map[string]rate{
		"AssignPrivateIpAddresses":        {100, 5},
		"UnassignPrivateIpAddresses":      {100, 5},
		"AssignIpv6Addresses":             {100, 5},
		"ModifyNetworkInterfaceAttribute": {100, 5},
		"CreateTags":                      {100, 10},
		"DeleteTags":                      {100, 10},
		"StartInstances":                  {5, 2},
	}
	// resourceRates are the buckets that pay for each resource a call names.
	resourceRates = map[string]rate{
		"StartInstances": {1000, 2},
		"StopInstances":  {1000, 20},
	}
)

// Buckets are those that calls have paid from. The zero value limits nothing.
type Buckets struct {
	on   bool
	held map[string]*bucket
}

// NewBuckets are full buckets, which limit calls or not.
func NewBuckets(on bool) *Buckets { return &Buckets{on: on, held: map[string]*bucket{}} }

// Cost is what a call pays for.
type Cost struct {
	Account, Region, Operation string
	Plain                      bool // neither filtered nor paged, where that costs more
	Units                      int  // resources that the call names
}

type bucket struct {
	tokens float64
	at     time.Time
}

// Spend takes what a call costs, or refuses it.
func (bs *Buckets) Spend(now time.Time, c Cost) *refusal.Error {
	if !bs.on {
		return nil
	}
	name, r := c.Operation, otherChange
	if special, ok := actionRates[c.Operation]; ok {
		r = special
	} else if strings.HasPrefix(c.Operation, "Describe") {
		r = defaultDescribe
		if c.Plain {
			name, r = c.Operation+" (plain)", plainDescribe
		}
	}
	of := c.Account + " " + c.Region + " " + name
	if !bs.take(of, r, 1, now) {
		return refusal.Throttled()
	}
	if r, ok := resourceRates[c.Operation]; ok &&
		!bs.take(of+" (resources)", r, float64(c.Units), now) {
		return refusal.Throttled()
	}
	return nil
}

// take pays from a bucket, and reports whether it held as much.
func (bs *Buckets) take(name string, r rate, tokens float64, now time.Time) bool {
	b := bs.held[name]
	if b == nil {
		b = &bucket{tokens: r.size, at: now}
		bs.held[name] = b
	}
	b.tokens = min(r.size, b.tokens+r.refill*now.Sub(b.at).Seconds())
	b.at = now
	if b.tokens < tokens {
		return false
	}
	b.tokens -= tokens
	return true
}
