// Package awscloud reads EC2 for the scanner of nodes: which regions an account has, and which
// instances are in them.
//
// It guarantees:
//
//   - It only reads: DescribeRegions and DescribeInstances, an account's alias, and of STS, Secrets
//     Manager and Systems Manager what it takes to be who a manager says.
//   - Endpoints and credentials are those of the SDK's own environment, so that a stand-in can
//     stand in. A secret that a manager refers to is read when it is needed, and kept nowhere.
//   - What is not one whole answer of EC2 is a failure, and never an empty region.
//   - No reason of a failure has a secret in it.
package awscloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
)

// Options are the settings of a cloud.
type Options struct {
	// Timeout bounds a call, most of it one step of it; a minute when zero.
	Timeout time.Duration
	Log     *slog.Logger
}

// homeRegion is where STS and the list of regions are asked where nothing names a region.
const homeRegion = "us-east-1"

// sessionName is what CloudTrail shows of who assumed a role.
const sessionName = "actionctl-nodes"

// Cloud is one identity in AWS. It is safe for concurrent use.
type Cloud struct {
	cfg     aws.Config
	kind    nodes.ManagerType
	timeout time.Duration

	mu      sync.Mutex
	clients map[string]*ec2.Client // by region
	// account is told once it is known, with its alias.
	account, alias string
}

var _ scan.Cloud = (*Cloud)(nil)

// Open makes a cloud of a manager's access. No call is sent.
func Open(ctx context.Context, m nodes.Manager, o Options) (*Cloud, error) {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	connection, err := awsec2.ConnectProfile(ctx, "", m.Access.Profile, o.Timeout, o.Log)
	if err != nil {
		return nil, scan.Unasked("%s", awsec2.Explain(err))
	}
	cfg := connection.Config()
	if cfg.Region == "" {
		cfg.Region = homeRegion
	}
	cfg.Retryer = func() aws.Retryer { return retry.NewStandard() }
	if m.Access.Secret != "" {
		cfg.Credentials = aws.NewCredentialsCache(secretKeys{NewSecrets(cfg), m.Access.Secret})
	}
	if m.Access.RoleARN != "" {
		cfg.Credentials = aws.NewCredentialsCache(role(cfg, m.Access))
	}
	return &Cloud{cfg: cfg, kind: m.Type, timeout: o.Timeout, clients: map[string]*ec2.Client{}}, nil
}

// role gives credentials of a role, by those that cfg has.
func role(cfg aws.Config, a nodes.Access) aws.CredentialsProvider {
	return stscreds.NewAssumeRoleProvider(stsClient(cfg), a.RoleARN,
		func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = sessionName
			if a.ExternalID != "" {
				o.ExternalID = &a.ExternalID
			}
		})
}

func stsClient(cfg aws.Config) *sts.Client {
	return sts.NewFromConfig(cfg, func(o *sts.Options) {
		o.APIOptions = append(o.APIOptions, awsec2.CheckAnswers())
	})
}

// in is the client of a region.
func (c *Cloud) in(region string) *ec2.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients[region] == nil {
		c.clients[region] = ec2.NewFromConfig(c.cfg, awsec2.ReadOnce,
			func(o *ec2.Options) { o.Region = region })
	}
	return c.clients[region]
}

// send bounds a call, and makes a failure of its error.
func send[I, O, F any](
	ctx context.Context, c *Cloud, call func(context.Context, *I, ...F) (*O, error), in *I,
) (*O, error) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := call(limited, in)
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, failure(err)
}

// Account asks STS whose the identity is, which needs no permission.
func (c *Cloud) Account(ctx context.Context) (string, error) {
	out, err := send(ctx, c, stsClient(c.cfg).GetCallerIdentity, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	account := aws.ToString(out.Account)
	if account == "" {
		return "", &scan.Failure{Verdict: nodes.Unreachable, Again: true,
			Reason: "STS names no account in its answer"}
	}
	alias := ""
	if c.kind == nodes.ManagerAWS {
		alias = c.askAlias(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.account, c.alias = account, alias
	return account, nil
}

// askAlias asks IAM what people call the account. Whoever may not know it does without.
func (c *Cloud) askAlias(ctx context.Context) string {
	client := iam.NewFromConfig(c.cfg, func(o *iam.Options) {
		o.Retryer = aws.NopRetryer{}
		o.APIOptions = append(o.APIOptions, awsec2.CheckAnswers())
	})
	out, err := send(ctx, c, client.ListAccountAliases, &iam.ListAccountAliasesInput{})
	if err != nil || len(out.AccountAliases) == 0 {
		return ""
	}
	return out.AccountAliases[0]
}

// Regions lists all regions that EC2 has for the account.
func (c *Cloud) Regions(ctx context.Context) ([]scan.Region, error) {
	out, err := send(ctx, c, c.in(c.cfg.Region).DescribeRegions,
		&ec2.DescribeRegionsInput{AllRegions: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	var list []scan.Region
	for _, r := range out.Regions {
		list = append(list, scan.Region{Name: aws.ToString(r.RegionName),
			Enabled: aws.ToString(r.OptInStatus) != "not-opted-in"})
	}
	if len(list) == 0 {
		return nil, &scan.Failure{Verdict: nodes.Unreachable, Again: true,
			Reason: "EC2 lists no region, which can't be right"}
	}
	return list, nil
}

// pageSize is the most that EC2 gives at once.
const pageSize = 1000

// Page reads a page of a region's instances in all states. For a manager of regions it is the
// region itself, once EC2 answered there.
func (c *Cloud) Page(ctx context.Context, at scan.Region, token string) (scan.Page, error) {
	if c.kind == nodes.ManagerAWS {
		return c.self(ctx, at.Name)
	}
	in := &ec2.DescribeInstancesInput{MaxResults: aws.Int32(pageSize)}
	if token != "" {
		in.NextToken = &token
	}
	out, err := send(ctx, c, c.in(at.Name).DescribeInstances, in)
	if err != nil {
		return scan.Page{}, err
	}
	seen, err := sightings(out)
	return scan.Page{Seen: seen, Next: aws.ToString(out.NextToken)}, err
}

// self is a region as a node of its own.
func (c *Cloud) self(ctx context.Context, region string) (scan.Page, error) {
	_, err := send(ctx, c, c.in(region).DescribeRegions,
		&ec2.DescribeRegionsInput{RegionNames: []string{region}})
	if err != nil {
		return scan.Page{}, err
	}
	x := nodes.Sighting{State: nodes.StateRunning}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.alias != "" {
		x.Name = c.alias + "/" + region
	}
	return scan.Page{Seen: []nodes.Sighting{x}}, nil
}

// Ask asks for instances by their ids. EC2 refuses the whole call where one of them is not there,
// and names some or all of those; the others are asked for again.
func (c *Cloud) Ask(
	ctx context.Context, at scan.Region, suspects []nodes.Suspect,
) (scan.Answer, error) {
	if c.kind == nodes.ManagerAWS {
		return scan.Answer{}, errors.New("a region has no id to ask for")
	}
	ids := make([]string, len(suspects))
	for i, s := range suspects {
		ids[i] = s.Source.ID
	}
	var a scan.Answer
	// open are lists of ids, each to be asked for at once.
	for open := [][]string{ids}; len(open) > 0; {
		list := open[len(open)-1]
		open = open[:len(open)-1]
		a.Calls++
		out, err := send(ctx, c, c.in(at.Name).DescribeInstances,
			&ec2.DescribeInstancesInput{InstanceIds: list})
		if err == nil {
			found, err := sightings(out)
			if err != nil {
				return a, err
			}
			a.Found = append(a.Found, found...)
			continue
		}
		refused := (*refusedIDs)(nil)
		if !errors.As(err, &refused) {
			return a, err
		}
		rest, absent, unknown := refused.split(list)
		a.NotFound = append(a.NotFound, absent...)
		for _, part := range append(unknown, rest) {
			if len(part) > 0 {
				open = append(open, part)
			}
		}
	}
	return a, nil
}

// sightings are the instances of an answer.
func sightings(out *ec2.DescribeInstancesOutput) ([]nodes.Sighting, error) {
	var list []nodes.Sighting
	for _, reservation := range out.Reservations {
		for i := range reservation.Instances {
			x, err := sighting(&reservation.Instances[i])
			if err != nil {
				return nil, err
			}
			list = append(list, x)
		}
	}
	return list, nil
}

// notRight is the failure of an answer that can't be right. What is left out because it was not
// understood would look like what is not there.
func notRight(format string, args ...any) *scan.Failure {
	return &scan.Failure{Verdict: nodes.Unreachable, Again: true,
		Reason: "EC2's answer can't be right: " + fmt.Sprintf(format, args...)}
}
