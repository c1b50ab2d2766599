package awsec2

import (
	"cmp"
	"context"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// endpointOf is where calls to a service go, with the settings of this way; or all that is wrong
// with the settings. EC2's own rules decide for each service, for they know the partitions.
func (c *way) endpointOf(s provider) (*url.URL, []string) {
	_, shared := loaded(c.cfg)
	o := ec2.NewFromConfig(c.cfg).Options()
	if s != ofEC2 {
		o.BaseEndpoint = s.customEndpoint(c.cfg)
	}
	special := specialEndpoint(o.EndpointOptions, shared)
	custom := aws.ToString(o.BaseEndpoint) != ""
	if custom {
		faults := customFaults(s.endpointSetting(shared), *o.BaseEndpoint, special)
		if len(faults) > 0 {
			return nil, faults
		}
	} else if text := s.noAccountEndpoint(c.cfg); text != "" {
		return nil, []string{text}
	}
	resolved, err := o.EndpointResolverV2.ResolveEndpoint(context.Background(),
		ec2.EndpointParameters{
			Region: &o.Region, UseFIPS: fips(o.EndpointOptions.UseFIPSEndpoint),
			UseDualStack: dual(o.EndpointOptions.UseDualStackEndpoint), Endpoint: o.BaseEndpoint,
		})
	endpoint, known := &resolved.URI, true
	if err == nil && !custom && s != ofEC2 {
		endpoint, known = s.hostOf(endpoint)
	}
	if err != nil || !known {
		text := "there is no endpoint of " + s.name + " for the region " + o.Region + " (partition " +
			partitionOf(o.Region) + ") with " + cmp.Or(strings.Join(special, " and "), "these settings")
		if err != nil {
			text += ": " + c.own.secrets.tell(err.Error())
		}
		return nil, []string{text}
	}
	if text := proxyFault(endpoint, c.metadata.out); text != "" {
		return nil, []string{text}
	}
	return endpoint, nil
}

// specialEndpoint names what asks for FIPS or dual stack.
func specialEndpoint(o ec2.EndpointResolverOptions, shared config.SharedConfig) (by []string) {
	if *fips(o.UseFIPSEndpoint) {
		by = append(by, setBy("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", shared))
	}
	if *dual(o.UseDualStackEndpoint) {
		by = append(by, setBy("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", shared))
	}
	return by
}

// customFaults are what is wrong with an endpoint that a setting names.
func customFaults(name, custom string, special []string) (faults []string) {
	if text := addressFault(name, custom); text != "" {
		faults = append(faults, text)
	}
	if len(special) > 0 {
		faults = append(faults, strings.Join(append(special, name), " and ")+
			" exclude each other: a custom endpoint is neither FIPS nor dual-stack; unset one")
	}
	return faults
}

// customEndpoint is the endpoint of a service that the settings name, nil for none. The order is
// the SDK's: the service's variable, that for all, the service's in the profile, the profile's.
func (s provider) customEndpoint(cfg aws.Config) *string {
	_, one := os.LookupEnv(s.endpointVariable())
	if _, all := os.LookupEnv(endpointForAll); all && !one {
		return cfg.BaseEndpoint
	}
	ctx := context.Background()
	if off, _, _ := config.GetIgnoreConfiguredEndpoints(ctx, cfg.ConfigSources); off {
		return cfg.BaseEndpoint
	}
	for _, source := range cfg.ConfigSources {
		from, ok := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		})
		if !ok {
			continue
		}
		if named, found, err := from.GetServiceBaseEndpoint(ctx, s.name); err == nil && found {
			return &named
		}
	}
	return cfg.BaseEndpoint
}

// endpointForAll names the endpoint of every service.
const endpointForAll = "AWS_ENDPOINT_URL"

// endpointVariable names the endpoint of one service.
func (s provider) endpointVariable() string {
	return endpointForAll + "_" + strings.ToUpper(strings.ReplaceAll(s.name, " ", "_"))
}

// endpointSetting names what sets the endpoint of a service.
func (s provider) endpointSetting(shared config.SharedConfig) string {
	if os.Getenv(s.endpointVariable()) == "" && os.Getenv(endpointForAll) != "" {
		return endpointForAll
	}
	return setBy(s.endpointVariable(), "endpoint_url", shared)
}

// hostOf is the host of a service, beside the endpoint that EC2's rules gave: of the same region,
// partition, FIPS and dual stack. Its first label is what IAM calls the service.
func (s provider) hostOf(ec2 *url.URL) (*url.URL, bool) {
	label, domain, _ := strings.Cut(ec2.Host, ".")
	rest, ok := strings.CutPrefix(label, ofEC2.prefix)
	if !ok || rest != "" && rest != "-fips" {
		return nil, false
	}
	beside := *ec2
	beside.Host = s.prefix + rest + "." + domain
	return &beside, true
}

// noAccountEndpoint names a setting that asks for a host that is not called here, or is empty.
func (s provider) noAccountEndpoint(cfg aws.Config) string {
	if s == dynamoDB.provider && cfg.AccountIDEndpointMode == aws.AccountIDEndpointModeRequired {
		return "AWS_ACCOUNT_ID_ENDPOINT_MODE (account_id_endpoint_mode) is required, and " + s.name +
			" is called at the region's own endpoint; set it to preferred or disabled"
	}
	return ""
}

func fips(s aws.FIPSEndpointState) *bool { return aws.Bool(s == aws.FIPSEndpointStateEnabled) }

func dual(s aws.DualStackEndpointState) *bool {
	return aws.Bool(s == aws.DualStackEndpointStateEnabled)
}
