package ec2sim

import (
	"net/http"
	"strings"
	"time"
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

type bucket struct {
	tokens float64
	at     time.Time
}

// SetThrottling switches token-bucket throttling on, with full buckets, or off.
func (s *Sim) SetThrottling(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mem.limited = on
	s.mem.buckets = map[string]*bucket{}
}

// spend takes what a call costs, or refuses it.
func (m *memory) spend(now time.Time, region, operation string, p prepared) *Error {
	if !m.limited {
		return nil
	}
	name, r := operation, otherChange
	if special, ok := actionRates[operation]; ok {
		r = special
	} else if strings.HasPrefix(operation, "Describe") {
		r = defaultDescribe
		if p.plain {
			name, r = operation+" (plain)", plainDescribe
		}
	}
	if !m.take(region+" "+name, r, 1, now) {
		return errThrottled()
	}
	if r, ok := resourceRates[operation]; ok && !m.take(region+" "+name+" (resources)", r, float64(p.units), now) {
		return errThrottled()
	}
	return nil
}

func (m *memory) take(name string, r rate, tokens float64, now time.Time) bool {
	b := m.buckets[name]
	if b == nil {
		b = &bucket{tokens: r.size, at: now}
		m.buckets[name] = b
	}
	b.tokens = min(r.size, b.tokens+r.refill*now.Sub(b.at).Seconds())
	b.at = now
	if b.tokens < tokens {
		return false
	}
	b.tokens -= tokens
	return true
}

func errThrottled() *Error {
	return &Error{"RequestLimitExceeded", "Request limit exceeded.", http.StatusServiceUnavailable}
}
