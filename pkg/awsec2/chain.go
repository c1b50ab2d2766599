package awsec2

import (
	"cmp"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// sourceKind is a kind of place that credentials come from.
type sourceKind int

const (
	fromEnvironment sourceKind = iota
	fromFile
	fromRole
	fromWebIdentity
	fromSSO
	fromLogin
	fromHelper
	fromContainer
	fromMetadata
)

// source is one link of the chain of credentials: a role that is assumed with what the next link
// gives, or, as the last one, where the first credentials come from.
type source struct {
	kind sourceKind
	// text describes the link for people.
	text string
	// role is what the link assumes, profile what says so; either may be empty.
	role, profile string
	// implied is set where nothing in the environment names the source: it is the SDK's last resort.
	implied bool
}

// chainOf returns the links by which the SDK gets credentials, the outermost first. The rules are
// the SDK's own.
func chainOf(env config.EnvConfig, shared config.SharedConfig) []source {
	switch {
	case env.Credentials.HasKeys():
		return []source{{kind: fromEnvironment,
			text: "the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"}}
	case env.WebIdentityTokenFilePath != "":
		return []source{webIdentity(env.WebIdentityTokenFilePath, env.RoleARN, "")}
	}
	return profileChain(env, shared, false)
}

// profileChain is the part of the chain that a profile names. A profile that another one names as
// its source is asked for.
func profileChain(env config.EnvConfig, p config.SharedConfig, asked bool) []source {
	var chain []source
	named := ""
	if p.Profile != "" {
		named = " of the profile " + strconv.Quote(p.Profile)
	}
	if p.RoleARN != "" && (p.WebIdentityTokenFile == "" || p.Source != nil) {
		chain = append(chain, source{kind: fromRole, text: "STS, for the role " + p.RoleARN + named,
			role: p.RoleARN, profile: p.Profile})
		asked = true
	}
	if p.Source != nil {
		return append(chain, profileChain(env, *p.Source, true)...)
	}
	return append(chain, baseOf(env, p, named, asked))
}

// baseOf is where the first credentials of a profile come from.
func baseOf(env config.EnvConfig, p config.SharedConfig, named string, asked bool) source {
	s := source{profile: p.Profile}
	switch {
	case p.Credentials.HasKeys():
		s.kind, s.text = fromFile, "the keys"+named
	case p.CredentialSource == "Environment":
		s.kind, s.text = fromEnvironment,
			"the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (credential_source"+named+")"
	case p.CredentialSource == "Ec2InstanceMetadata":
		s.kind, s.text = fromMetadata, metadataText(env, p)
	case p.CredentialSource == "EcsContainer":
		s.kind, s.text = fromContainer, containerText(env)
	case p.WebIdentityTokenFile != "":
		return webIdentity(p.WebIdentityTokenFile, p.RoleARN, p.Profile)
	case p.SSOSession != nil || p.SSOStartURL != "" || p.SSOAccountID != "" || p.SSORoleName != "":
		s.kind, s.role = fromSSO, p.SSORoleName
		s.text = "the SSO login" + named + ", for the role " + p.SSORoleName + " in the account " +
			p.SSOAccountID
	case p.LoginSession != "":
		s.kind, s.text = fromLogin, "the login session"+named
	case p.CredentialProcess != "":
		s.kind, s.text = fromHelper,
			"the credential_process "+strconv.Quote(programOf(p.CredentialProcess))+named
	case env.ContainerCredentialsRelativePath != "" || env.ContainerCredentialsEndpoint != "":
		s.kind, s.text = fromContainer, containerText(env)
	default:
		s.kind, s.text, s.implied = fromMetadata, metadataText(env, p), !asked
	}
	return s
}

// programOf is the part of a command that may be shown: its arguments and the variables that it
// sets may hold secrets.
func programOf(command string) string {
	for word := range strings.FieldsSeq(command) {
		if !strings.Contains(word, "=") {
			return strings.Trim(word, `"'`)
		}
	}
	return "(not shown)"
}

func webIdentity(file, role, profile string) source {
	return source{kind: fromWebIdentity, role: role, profile: profile,
		text: "STS, for the role " + role + " with the web identity token in " + file}
}

// containerText leaves the path of the address out: who knows it gets the credentials.
func containerText(env config.EnvConfig) string {
	address := "http://169.254.170.2"
	if env.ContainerCredentialsRelativePath == "" {
		address = origin(env.ContainerCredentialsEndpoint)
	}
	return "the container credentials endpoint " + address
}

func metadataText(env config.EnvConfig, p config.SharedConfig) string {
	address := cmp.Or(env.EC2IMDSEndpoint, p.EC2IMDSEndpoint)
	if address == "" {
		address = "http://169.254.169.254"
		if cmp.Or(env.EC2IMDSEndpointMode, p.EC2IMDSEndpointMode) == imds.EndpointModeStateIPv6 {
			address = "http://[fd00:ec2::254]"
		}
	}
	return "the instance metadata service at " + origin(address)
}

// origin is the part of an address that may be shown: no user, no path.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "(not a URL)"
	}
	return u.Scheme + "://" + u.Host
}

// withHelper replaces the SDK's own runner of a credential_process by ours, and puts the roles
// of the chain above it. It returns nil where no helper is asked.
func withHelper(cfg aws.Config, chain []source, p config.SharedConfig,
	s *secrets) aws.CredentialsProvider {
	if chain[len(chain)-1].kind != fromHelper {
		return nil
	}
	return helperChain(cfg, p, s)
}

func helperChain(cfg aws.Config, p config.SharedConfig, s *secrets) aws.CredentialsProvider {
	var base aws.CredentialsProvider = &helper{command: p.CredentialProcess, secrets: s}
	if p.Source != nil {
		base = helperChain(cfg, *p.Source, s)
	}
	if p.RoleARN == "" {
		return base
	}
	with := cfg.Copy()
	with.Credentials = base
	return &remembered{from: stscreds.NewAssumeRoleProvider(sts.NewFromConfig(with), p.RoleARN,
		func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = p.RoleSessionName
			if d := p.RoleDurationSeconds; d != nil && *d > 15*time.Minute {
				o.Duration = *d
			}
			if p.ExternalID != "" {
				o.ExternalID = aws.String(p.ExternalID)
			}
		})}
}

// knownSecrets are those that the environment and the shared files hold.
func knownSecrets(env config.EnvConfig, p config.SharedConfig) []string {
	known := []string{
		env.Credentials.SecretAccessKey, env.Credentials.SessionToken, env.ContainerAuthorizationToken,
		os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN"),
		env.ContainerCredentialsRelativePath, os.Getenv("AWS_SECRET_KEY"),
	}
	for q := &p; q != nil; q = q.Source {
		known = append(known, q.Credentials.SecretAccessKey, q.Credentials.SessionToken, q.ExternalID)
	}
	if u, err := url.Parse(env.ContainerCredentialsEndpoint); err == nil {
		known = append(known, u.Path, u.RawQuery)
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		if u, err := url.Parse(os.Getenv(name)); err == nil && u.User != nil {
			password, _ := u.User.Password()
			known = append(known, password)
		}
	}
	return known
}
