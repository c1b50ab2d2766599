package awscloud

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/secretfile"
)

// Secrets reads what references lead to, with an identity. It keeps nothing.
type Secrets struct{ cfg aws.Config }

// NewSecrets returns secrets that the identity of cfg may read.
func NewSecrets(cfg aws.Config) Secrets { return Secrets{cfg} }

// Resolve reads a secret. The error has nothing of it.
func (s Secrets) Resolve(ctx context.Context, ref nodes.SecretRef) (string, error) {
	if err := ref.Check(); err != nil {
		return "", err
	}
	if path, ok := secretfile.Path(ref); ok {
		return secretfile.Read(path)
	}
	at, err := arn.Parse(string(ref))
	if err != nil {
		return "", err
	}
	cfg := s.cfg.Copy()
	cfg.Region = at.Region
	text := ""
	if at.Service == "secretsmanager" {
		var out *secretsmanager.GetSecretValueOutput
		out, err = secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx,
			&secretsmanager.GetSecretValueInput{SecretId: aws.String(string(ref))})
		if err == nil {
			text = aws.ToString(out.SecretString)
		}
	} else {
		var out *ssm.GetParameterOutput
		out, err = ssm.NewFromConfig(cfg).GetParameter(ctx, &ssm.GetParameterInput{
			Name: aws.String(string(ref)), WithDecryption: aws.Bool(true)})
		if err == nil && out.Parameter != nil {
			text = aws.ToString(out.Parameter.Value)
		}
	}
	switch {
	case err != nil:
		return "", failure(err)
	case text == "":
		return "", fmt.Errorf("%s is empty, or is not text", ref)
	}
	return text, nil
}

// secretKeys are the keys that a secret holds.
type secretKeys struct {
	secrets Secrets
	ref     nodes.SecretRef
}

// Retrieve reads the keys. The secret is an object in JSON with accessKeyId and secretAccessKey,
// and sessionToken for temporary ones, or these names as the environment has them.
func (k secretKeys) Retrieve(ctx context.Context) (aws.Credentials, error) {
	text, err := k.secrets.Resolve(ctx, k.ref)
	if err != nil {
		var f *scan.Failure
		if errors.As(err, &f) {
			told := *f
			told.Reason = "the credentials can't be read: " + f.Reason
			return aws.Credentials{}, &told
		}
		return aws.Credentials{}, scan.Unasked("the credentials can't be read: %v", err)
	}
	fields, err := secretfile.ParseFields(text)
	if err != nil {
		return aws.Credentials{}, scan.Unasked("%s is no object in JSON", k.ref)
	}
	c := aws.Credentials{
		AccessKeyID:     fields.Get("accessKeyId", "AccessKeyId", "AWS_ACCESS_KEY_ID"),
		SecretAccessKey: fields.Get("secretAccessKey", "SecretAccessKey", "AWS_SECRET_ACCESS_KEY"),
		SessionToken:    fields.Get("sessionToken", "SessionToken", "AWS_SESSION_TOKEN"),
		Source:          "a secret",
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return c, scan.Unasked("%s has no accessKeyId or no secretAccessKey", k.ref)
	}
	return c, nil
}
