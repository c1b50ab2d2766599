package awsec2

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyendpoints "github.com/aws/smithy-go/endpoints"

	"aws-provider-executor/pkg/protocol"
)

var secretsManager = provider{"Secrets Manager", "secretsmanager"}

// judges are the SDK's own rules for the endpoint of a service.
var judges = map[provider]func(aws.Config) (smithyendpoints.Endpoint, error){
	dynamoDB.provider: func(cfg aws.Config) (smithyendpoints.Endpoint, error) {
		o := dynamodb.NewFromConfig(cfg).Options()
		return o.EndpointResolverV2.ResolveEndpoint(context.Background(),
			dynamodb.EndpointParameters{Region: &o.Region, Endpoint: o.BaseEndpoint,
				UseFIPS:      fips(o.EndpointOptions.UseFIPSEndpoint),
				UseDualStack: dual(o.EndpointOptions.UseDualStackEndpoint)})
	},
	autoScaling.provider: func(cfg aws.Config) (smithyendpoints.Endpoint, error) {
		o := autoscaling.NewFromConfig(cfg).Options()
		return o.EndpointResolverV2.ResolveEndpoint(context.Background(),
			autoscaling.EndpointParameters{Region: &o.Region, Endpoint: o.BaseEndpoint,
				UseFIPS:      fips(o.EndpointOptions.UseFIPSEndpoint),
				UseDualStack: dual(o.EndpointOptions.UseDualStackEndpoint)})
	},
	{"SSM", "ssm"}: func(cfg aws.Config) (smithyendpoints.Endpoint, error) {
		o := ssm.NewFromConfig(cfg).Options()
		return o.EndpointResolverV2.ResolveEndpoint(context.Background(),
			ssm.EndpointParameters{Region: &o.Region, Endpoint: o.BaseEndpoint,
				UseFIPS:      fips(o.EndpointOptions.UseFIPSEndpoint),
				UseDualStack: dual(o.EndpointOptions.UseDualStackEndpoint)})
	},
	secretsManager: func(cfg aws.Config) (smithyendpoints.Endpoint, error) {
		o := secretsmanager.NewFromConfig(cfg).Options()
		return o.EndpointResolverV2.ResolveEndpoint(context.Background(),
			secretsmanager.EndpointParameters{Region: &o.Region, Endpoint: o.BaseEndpoint,
				UseFIPS:      fips(o.EndpointOptions.UseFIPSEndpoint),
				UseDualStack: dual(o.EndpointOptions.UseDualStackEndpoint)})
	},
	ofSTS: func(cfg aws.Config) (smithyendpoints.Endpoint, error) {
		o := sts.NewFromConfig(cfg).Options()
		return o.EndpointResolverV2.ResolveEndpoint(context.Background(),
			sts.EndpointParameters{Region: &o.Region, Endpoint: o.BaseEndpoint,
				UseFIPS:      fips(o.EndpointOptions.UseFIPSEndpoint),
				UseDualStack: dual(o.EndpointOptions.UseDualStackEndpoint)})
	},
	{"SQS", "sqs"}: func(cfg aws.Config) (smithyendpoints.Endpoint, error) {
		o := sqs.NewFromConfig(cfg).Options()
		return o.EndpointResolverV2.ResolveEndpoint(context.Background(),
			sqs.EndpointParameters{Region: &o.Region, Endpoint: o.BaseEndpoint,
				UseFIPS:      fips(o.EndpointOptions.UseFIPSEndpoint),
				UseDualStack: dual(o.EndpointOptions.UseDualStackEndpoint)})
	},
}

// sameEndpoints holds the endpoints of services against the SDK's, in one environment.
func sameEndpoints(t *testing.T, region string, but ...provider) {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(region))
	if err != nil {
		t.Fatal(err)
	}
	w := &way{
		cfg: cfg, own: &credentials{secrets: &secrets{}}, metadata: &metadataService{out: machine()},
	}
	for _, s := range services {
		if judges[s.provider] == nil {
			t.Errorf("nobody judges the endpoints of %s", s.name)
		}
	}
	for s, judge := range judges {
		if slices.Contains(but, s) {
			continue
		}
		want, err := judge(cfg)
		got, faults := w.endpointOf(s)
		switch {
		case (err == nil) != (len(faults) == 0):
			t.Errorf("%s in %s: the faults are %q, and the SDK says %v", s.name, region, faults, err)
		case err == nil && got.String() != want.URI.String():
			t.Errorf("%s in %s is at %s, want %s", s.name, region, got, &want.URI)
		}
	}
}

// TestEndpointsAreTheSDKs: the endpoint of each service is the one of the SDK's client for it, in
// each partition, for FIPS and dual stack. What the SDK refuses is refused.
func TestEndpointsAreTheSDKs(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, region := range []string{
		"us-east-1", "ap-northeast-1", "eu-central-2", "ca-west-1", "us-gov-west-1", "us-gov-east-1",
		"cn-north-1", "cn-northwest-1", "us-iso-east-1", "us-iso-west-1", "us-isob-east-1",
		"eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1", "xx-new-7",
	} {
		for _, fips := range []bool{false, true} {
			for _, dual := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s fips=%t dual=%t", region, fips, dual), func(t *testing.T) {
					t.Setenv("AWS_USE_FIPS_ENDPOINT", fmt.Sprint(fips))
					t.Setenv("AWS_USE_DUALSTACK_ENDPOINT", fmt.Sprint(dual))
					// Secrets Manager is not called so: its hosts for FIPS and dual stack are others.
					sameEndpoints(t, region, secretsManager)
				})
			}
		}
	}
}

// TestEndpointsOfTheSettings: the settings that name an endpoint have the order that they have in
// the SDK.
func TestEndpointsOfTheSettings(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.Mkdir(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	const services = "services = mine\n"
	const section = "[services mine]\ndynamodb =\n  endpoint_url = http://one.test\n" +
		"secrets_manager =\n  endpoint_url = http://secret.test/base\n"
	const profiles = "endpoint_url = http://profile.test\n"
	const all, one = "http://all.test", "http://one.test:8000"
	for name, c := range map[string]struct {
		profile string
		env     map[string]string
	}{
		"for all": {env: map[string]string{"AWS_ENDPOINT_URL": all}},
		"for one": {env: map[string]string{"AWS_ENDPOINT_URL_SECRETS_MANAGER": one}},
		"for one before all": {env: map[string]string{
			"AWS_ENDPOINT_URL": all, "AWS_ENDPOINT_URL_SQS": one}},
		"all that is empty": {services + section, map[string]string{"AWS_ENDPOINT_URL": ""}},
		"one that is empty": {services + section,
			map[string]string{"AWS_ENDPOINT_URL": all, "AWS_ENDPOINT_URL_DYNAMODB": ""}},
		"a profile for all":      {profile: profiles},
		"a profile for one":      {profile: services + section},
		"a profile, one and all": {profile: profiles + services + section},
		"all before a profile":   {services + section, map[string]string{"AWS_ENDPOINT_URL": all}},
		"one before a profile": {services + section, map[string]string{
			"AWS_ENDPOINT_URL_DYNAMODB": one}},
		"not looked at": {services + section, map[string]string{
			"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": all}},
		"a profile not to look at": {
			profile: "ignore_configured_endpoint_urls = true\n" + services + section},
		"fips beside one": {env: map[string]string{
			"AWS_ENDPOINT_URL_DYNAMODB": one, "AWS_USE_FIPS_ENDPOINT": "true"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(home, ".aws", "config")
			if err := os.WriteFile(file, []byte("[default]\n"+c.profile), 0o600); err != nil {
				t.Fatal(err)
			}
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			sameEndpoints(t, "eu-west-1")
		})
	}
}

// TestAccountEndpointIsRefused: a host that is not called is refused by the name of its setting.
func TestAccountEndpointIsRefused(t *testing.T) {
	c, requests := answering(t, nil)
	c.cfg.AccountIDEndpointMode = aws.AccountIDEndpointModeRequired
	if _, err := c.StateTable("state", false); err != nil {
		t.Errorf("an endpoint of one's own is refused: %v", err)
	}
	if err := os.Unsetenv("AWS_ENDPOINT_URL_DYNAMODB"); err != nil {
		t.Fatal(err)
	}
	_, err := c.StateTable("state", false)
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Configuration ||
		!strings.Contains(f.Message, "AWS_ACCOUNT_ID_ENDPOINT_MODE") {
		t.Errorf("it says %v", err)
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestAHostThatIsNotEC2s: what does not look like EC2's host tells nothing of another service's.
func TestAHostThatIsNotEC2s(t *testing.T) {
	for host, want := range map[string]string{
		"ec2.eu-west-1.amazonaws.com":       "ssm.eu-west-1.amazonaws.com",
		"ec2-fips.us-east-1.api.aws":        "ssm-fips.us-east-1.api.aws",
		"ec2-other.eu-west-1.amazonaws.com": "",
		"api.ec2.eu-west-1.amazonaws.com":   "",
	} {
		got, known := provider{"SSM", "ssm"}.hostOf(&url.URL{Scheme: "https", Host: host})
		if known != (want != "") || known && got.Host != want {
			t.Errorf("%s leads to %v", host, got)
		}
	}
}
