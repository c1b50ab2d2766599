package sdktest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// vault is the lab with secrets in it, and AWS's clients of them.
type vault struct {
	*testing.T
	sim     *ec2sim.Sim
	secrets *secretsmanager.Client
	ssm     *ssm.Client
}

const (
	vaultPlace = ec2sim.LabRegion + ":123456789012:"
	secretARN  = "arn:aws:secretsmanager:" + vaultPlace + "secret:nodes/keys-Ab12Cd"
	pskARN     = "arn:aws:ssm:" + vaultPlace + "parameter/nodes/psk"
)

func newVault(t *testing.T) *vault {
	t.Helper()
	sim, srv := start(t, ec2sim.ServerOptions{})
	client(t, srv.Env())
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRetryer(func() aws.Retryer {
		return aws.NopRetryer{}
	}))
	if err != nil {
		t.Fatal(err)
	}
	lab := sim.Region(ec2sim.LabRegion)
	if got := lab.SetSecret(ec2sim.Secret{Name: "nodes/keys", Suffix: "Ab12Cd", Value: "old"}); got !=
		secretARN {
		t.Fatal(got)
	}
	// Its ARN stays.
	if got := lab.SetSecret(ec2sim.Secret{Name: "nodes/keys", Value: "hidden"}); got != secretARN {
		t.Fatal(got)
	}
	lab.SetSecret(ec2sim.Secret{Name: "bytes", Suffix: "Ab12Cd", Binary: "AAEC"})
	lab.SetParameter(ec2sim.Parameter{Name: "/nodes/psk", Value: "shared"})
	lab.SetParameter(ec2sim.Parameter{Name: "plain", Type: "String", Value: "seen"})
	return &vault{t, sim, secretsmanager.NewFromConfig(cfg), ssm.NewFromConfig(cfg)}
}

// secret reads a secret at a stage, or tells the code of the refusal.
func (v *vault) secret(id, stage string) (value, code string) {
	in := &secretsmanager.GetSecretValueInput{SecretId: &id}
	if stage != "" {
		in.VersionStage = &stage
	}
	out, err := v.secrets.GetSecretValue(v.Context(), in)
	if err != nil {
		return "", v.code(err)
	}
	return aws.ToString(out.SecretString) + string(out.SecretBinary), ""
}

const decrypted = "decrypted"

// parameter reads a parameter, decrypted or not, or tells the code of the refusal.
func (v *vault) parameter(name, how string) (value, code string) {
	out, err := v.ssm.GetParameter(v.Context(), &ssm.GetParameterInput{Name: &name,
		WithDecryption: aws.Bool(how == decrypted)})
	if err != nil {
		return "", v.code(err)
	}
	return *out.Parameter.Value, ""
}

func (v *vault) code(err error) string {
	v.Helper()
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		v.Error(err)
		return ""
	}
	return refused.ErrorCode()
}

// only has IAM allow one secret and one parameter.
func (v *vault) only() {
	err := v.sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, `{"Version": "2012-10-17",
		"Statement": [
		{"Effect": "Allow", "Resource": "`+secretARN+`", "Action": "secretsmanager:GetSecretValue"},
		{"Effect": "Allow", "Resource": "`+pskARN+`", "Action": "ssm:GetParameter"}]}`)
	if err != nil {
		v.Fatal(err)
	}
}

func (v *vault) breaks() {
	if err := v.sim.Inject(ec2sim.Fail("GetSecretValue", "InternalError")); err != nil {
		v.Fatal(err)
	}
}

// TestSDKReadsSecrets: a secret and a parameter by all that names them, and the codes of what is
// missing or denied.
func TestSDKReadsSecrets(t *testing.T) {
	v := newVault(t)
	const foreign = ec2sim.LabRegion + ":999999999999:"
	secret, parameter := v.secret, v.parameter
	for _, tt := range []struct {
		name       string
		before     func()
		get        func(string, string) (string, string)
		id, how    string
		want, code string
	}{
		{"by name", nil, secret, "nodes/keys", "", "hidden", ""},
		{"by its ARN", nil, secret, secretARN, "", "hidden", ""},
		{"without the suffix", nil, secret, strings.TrimSuffix(secretARN, "-Ab12Cd"), "", "hidden",
			""},
		{"the current version", nil, secret, "nodes/keys", "AWSCURRENT", "hidden", ""},
		{"bytes", nil, secret, "bytes", "", "\x00\x01\x02", ""},
		{"a version that is not there", nil, secret, "nodes/keys", "AWSPENDING", "",
			"ResourceNotFoundException"},
		{"no such secret", nil, secret, "none", "", "", "ResourceNotFoundException"},
		{"another suffix", nil, secret, secretARN[:len(secretARN)-1] + "x", "", "",
			"ResourceNotFoundException"},
		{"of another account", nil, secret,
			"arn:aws:secretsmanager:" + foreign + "secret:nodes/keys-Ab12Cd", "", "",
			"AccessDeniedException"},
		{"a parameter", nil, parameter, "/nodes/psk", decrypted, "shared", ""},
		{"by its ARN", nil, parameter, pskARN, decrypted, "shared", ""},
		{"its version", nil, parameter, "/nodes/psk:1", decrypted, "shared", ""},
		{"its version by its ARN", nil, parameter, pskARN + ":1", decrypted, "shared", ""},
		{"no slash", nil, parameter, "arn:aws:ssm:" + vaultPlace + "parameter/plain", "", "seen", ""},
		{"a later version", nil, parameter, "/nodes/psk:2", decrypted, "", "ParameterVersionNotFound"},
		{"no such parameter", nil, parameter, "/none", decrypted, "", "ParameterNotFound"},
		{"of another account", nil, parameter, "arn:aws:ssm:" + foreign + "parameter/nodes/psk",
			decrypted, "", "AccessDeniedException"},
		{"allowed", v.only, secret, "nodes/keys", "", "hidden", ""},
		{"denied", nil, secret, "bytes", "", "", "AccessDeniedException"},
		{"allowed", nil, parameter, pskARN, decrypted, "shared", ""},
		{"denied", nil, parameter, "plain", "", "", "AccessDeniedException"},
		{"it fails", v.breaks, secret, "nodes/keys", "", "", "InternalServiceError"},
	} {
		if tt.before != nil {
			tt.before()
		}
		if got, code := tt.get(tt.id, tt.how); got != tt.want || code != tt.code {
			t.Errorf("%s: %q, %q; want %q, %q", tt.name, got, code, tt.want, tt.code)
		}
	}
}

// TestSDKReadsCiphertext: what is not decrypted is not the value.
func TestSDKReadsCiphertext(t *testing.T) {
	if got, code := newVault(t).parameter("/nodes/psk", ""); code != "" || got == "" ||
		got == "shared" {
		t.Errorf("%q, %s", got, code)
	}
}

// TestSecretsAreLoaded: a world that was told is the same world when it is loaded, and secrets that
// can't be are refused.
func TestSecretsAreLoaded(t *testing.T) {
	sim := newVault(t).sim
	before := sim.State()
	told, err := json.Marshal(before)
	if err != nil || len(before.Regions[ec2sim.LabRegion].Secrets) != 2 {
		t.Fatal(err, before.Regions[ec2sim.LabRegion].Secrets)
	}
	if err := sim.Load(told); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, sim.State()); diff != "" {
		t.Error(diff)
	}
	// What can't be is refused, and what is there stays.
	err = sim.Load([]byte(`regions:
  eu-west-1:
    secrets:
      - {name: a b, value: x}
      - {name: both, value: x, binary: AA==}
      - {name: neither}
      - {name: suffix, suffix: toolong, value: x}
    parameters:
      - {name: //x, value: x}
      - {name: x, type: Text, value: x}
      - {name: empty}
`))
	if err == nil || strings.Count(err.Error(), "\n") != 6 {
		t.Errorf("%v", err)
	}
	if diff := cmp.Diff(before, sim.State()); diff != "" {
		t.Error(diff)
	}
}
