package ec2sim

import (
	"net/http"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/api"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/sigv4"
	"aws-provider-executor/pkg/ec2sim/internal/world"
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
	who := identity{sig.AccessKeyID, sig.Region, s.cfg.anyone(), sig.Service}
	known, ok := s.credential(sig.AccessKeyID)
	if known.ARN != "" {
		who.arn = known.ARN
	}
	if _, served := api.Services[sig.Service]; !served || !s.serves(who) {
		return who, refusal.AuthFailure()
	}
	now := s.cfg.now()
	if skew := now.Sub(sig.Time).Abs(); skew > maxSkew {
		return who, refusal.New("RequestExpired", "Request has expired.")
	}
	if !ok && len(s.cfg.credentials) == 0 {
		return who, nil
	}
	if !ok || sig.Token != known.SessionToken || sig.Verify(r, body, known.SecretAccessKey) != nil {
		return who, refusal.AuthFailure()
	}
	if !known.Expires.IsZero() && now.After(known.Expires) {
		return who, refusal.New("RequestExpired", "Request has expired.")
	}
	return who, nil
}

// credential returns the credential with an access key, of those that may call and of sessions.
func (s *Sim) credential(accessKeyID string) (Credential, bool) {
	if known, ok := s.cfg.credentials[accessKeyID]; ok {
		return known, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	made, ok := s.mem.sessions[accessKeyID]
	return made.credential, ok
}

// serves reports whether the caller's account has the region.
func (s *Sim) serves(who identity) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mem.served(world.Place{Account: s.mem.accountOf(who.arn), Region: who.region})
}
