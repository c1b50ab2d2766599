package ec2sim

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/api"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/sigv4"
)

// maxSkew is how far a signature's time may be from ours.
const maxSkew = 15 * time.Minute

// identity is who a call says it is.
type identity struct{ accessKeyID, region, arn, service string }

// authenticate finds out who signed the request. With an error, what the request claims is returned
// as well, for the log.
func (s *Sim) authenticate(r *http.Request, body []byte) (identity, *Error) {
	sig, err := sigv4.Parse(r)
	if err != nil {
		return identity{}, refusal.AuthFailure()
	}
	who := identity{sig.AccessKeyID, sig.Region, defaultARN, sig.Service}
	if _, served := api.Services[sig.Service]; !served || !slices.Contains(s.regions(), sig.Region) {
		return who, refusal.AuthFailure()
	}
	now := s.cfg.now()
	if skew := now.Sub(sig.Time).Abs(); skew > maxSkew {
		return who, refusal.New("RequestExpired", "Request has expired.")
	}
	if len(s.cfg.credentials) == 0 {
		return who, nil
	}
	known, ok := s.cfg.credentials[sig.AccessKeyID]
	if !ok || sig.Token != known.SessionToken || sig.Verify(r, body, known.SecretAccessKey) != nil {
		return who, refusal.AuthFailure()
	}
	if !known.Expires.IsZero() && now.After(known.Expires) {
		return who, refusal.New("RequestExpired", "Request has expired.")
	}
	if known.ARN != "" {
		who.arn = known.ARN
	}
	return who, nil
}

// regions returns the regions a call may be made in: EC2's, and those somebody has filled.
func (s *Sim) regions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := map[string]bool{}
	for _, name := range api.CommonRegions {
		names[name] = true
	}
	for name := range s.mem.worlds {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
