package ec2sim

import "aws-provider-executor/pkg/ec2sim/internal/world"

// Secret is a secret of Secrets Manager, and Parameter a parameter of SSM.
type (
	Secret    = world.Secret
	Parameter = world.Parameter
)

// SetSecret adds a secret, or replaces the one of its name. It returns the ARN, and panics on a
// secret that can't be.
func (r *Region) SetSecret(s Secret) string {
	arn, err := r.sim.setSecret(secretJSON{r.account, r.name, s})
	mustChange(err)
	return arn.ARN
}

// SetParameter adds a parameter, or replaces the one of its name. It returns the ARN, and panics on
// a parameter that can't be.
func (r *Region) SetParameter(p Parameter) string {
	arn, err := r.sim.setParameter(parameterJSON{r.account, r.name, p})
	mustChange(err)
	return arn.ARN
}

// secretJSON and parameterJSON are what the control paths take. An empty account is the Sim's own,
// and an empty region its first.
type secretJSON struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Secret
}

type parameterJSON struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Parameter
}

// arned is the ARN of what was set.
type arned struct {
	ARN string `json:"arn"`
}

func (s *Sim) setSecret(in secretJSON) (out arned, err error) {
	err = s.change(s.placed(in.Account, in.Region), true, func(c *world.Change) (err error) {
		out.ARN, err = c.SetSecret(in.Secret)
		return err
	})
	return out, err
}

func (s *Sim) setParameter(in parameterJSON) (out arned, err error) {
	err = s.change(s.placed(in.Account, in.Region), true, func(c *world.Change) (err error) {
		out.ARN, err = c.SetParameter(in.Parameter)
		return err
	})
	return out, err
}
