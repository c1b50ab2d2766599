package api

import (
	"regexp"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// stsOperations tell who a caller is, and make a caller somebody else.
var stsOperations = map[string]Operation{
	"AssumeRole":        reading(assumeRole),
	"GetCallerIdentity": openToAll(reading(getCallerIdentity)),
}

// openToAll is an operation that IAM has no say in.
func openToAll(o Operation) Operation {
	o.Anyone = true
	return o
}

type assumeRoleIn struct {
	RoleArn         string `query:"required"`
	RoleSessionName string `query:"required"`
	ExternalId      string
	DurationSeconds *int
	Policy          string   `query:"unheld"`
	PolicyArns      []string `query:"unheld"`
	SerialNumber    string   `query:"unheld"`
	SourceIdentity  string   `query:"unheld"`
	TokenCode       string   `query:"unheld"`
}

func (in *assumeRoleIn) resources(*world.World) []string { return []string{in.RoleArn} }

// How long a session may last.
const (
	shortestSession = 15 * time.Minute
	usualSession    = time.Hour
	longestSession  = 12 * time.Hour
)

var (
	roleARNForm     = regexp.MustCompile(`^arn:[a-z-]+:iam::[0-9]{12}:role/.+`)
	sessionNameForm = regexp.MustCompile(`^[\w+=,.@-]*$`)
	externalIDForm  = regexp.MustCompile(`^[\w+=,.@:/-]*$`)
)

// fault returns what STS has against the parameters, or nil.
func (in *assumeRoleIn) fault() error {
	name, external, lasts := in.RoleSessionName, in.ExternalId, in.lasts()
	seconds := intText(int(lasts.Seconds()))
	for _, c := range []struct {
		broken                bool
		value, at, constraint string
	}{
		{len(name) < 2, name, "roleSessionName", "Member must have length greater than or equal to 2"},
		{len(name) > 64, name, "roleSessionName", "Member must have length less than or equal to 64"},
		{!sessionNameForm.MatchString(name), name, "roleSessionName",
			`Member must satisfy regular expression pattern: [\w+=,.@-]*`},
		{len(external) == 1, external, "externalId",
			"Member must have length greater than or equal to 2"},
		{!externalIDForm.MatchString(external), external, "externalId",
			`Member must satisfy regular expression pattern: [\w+=,.@:\/-]*`},
		{lasts < shortestSession, seconds, "durationSeconds",
			"Member must have value greater than or equal to 900"},
		{lasts > longestSession, seconds, "durationSeconds",
			"Member must have value less than or equal to 43200"},
	} {
		if c.broken {
			return refusal.New("ValidationError", "1 validation error detected: Value '%s' at '%s' "+
				"failed to satisfy constraint: %s", c.value, c.at, c.constraint)
		}
	}
	if !roleARNForm.MatchString(in.RoleArn) {
		return refusal.New("ValidationError", "%s is invalid", in.RoleArn)
	}
	return nil
}

func (in *assumeRoleIn) lasts() time.Duration {
	if in.DurationSeconds == nil {
		return usualSession
	}
	return time.Duration(*in.DurationSeconds) * time.Second
}

type credentialsXML struct {
	AccessKeyID string `xml:"AccessKeyId"`
	Secret      string `xml:"SecretAccessKey"`
	Token       string `xml:"SessionToken"`
	Expiration  string `xml:"Expiration"`
}

type assumedUserXML struct {
	ID  string `xml:"AssumedRoleId"`
	ARN string `xml:"Arn"`
}

// assumeRole gives credentials of a role that trusts the caller.
func assumeRole(c *call, in *assumeRoleIn) (any, error) {
	if err := in.fault(); err != nil {
		return nil, err
	}
	s, err := c.Assume(world.AssumeRole{Caller: c.Caller, RoleARN: in.RoleArn,
		SessionName: in.RoleSessionName, ExternalID: in.ExternalId, Lasts: in.lasts()})
	if err != nil {
		return nil, err
	}
	return struct {
		Credentials credentialsXML `xml:"Credentials"`
		User        assumedUserXML `xml:"AssumedRoleUser"`
	}{
		credentialsXML{s.AccessKeyID, s.SecretAccessKey, s.Token,
			s.Expires.UTC().Format(time.RFC3339)},
		assumedUserXML{userIDOf(s.ARN), s.ARN},
	}, nil
}
