package api

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// secretsOperations are those of Secrets Manager.
var secretsOperations = map[string]Operation{
	"GetSecretValue": reading(getSecretValue),
}

// secretsCodes are the words of Secrets Manager for what EC2 words otherwise: SSM's, but for one.
var secretsCodes = func() map[string]refusal.Error {
	codes := maps.Clone(ssmCodes)
	codes["InternalError"] = refusal.Error{Code: "InternalServiceError",
		Message: "An error occurred on the server side.", Status: http.StatusInternalServerError}
	return codes
}()

func secretsWords(e refusal.Error) refusal.Error { return inWords(secretsCodes, e) }

type getSecretValueIn struct {
	SecretId                string `query:"required"`
	VersionId, VersionStage string
}

func (in *getSecretValueIn) resources(w *world.World) []string {
	return []string{w.SecretARN(in.SecretId)}
}

type secretValueOut struct {
	ARN, Name, VersionId string

	SecretString  string `json:",omitempty"`
	SecretBinary  string `json:",omitempty"`
	VersionStages []string
	CreatedDate   float64
}

// current is the stage of the version that is read.
const current = "AWSCURRENT"

func getSecretValue(c *call, in *getSecretValueIn) (any, error) {
	if err := c.notForeign(in.SecretId, "secretsmanager:GetSecretValue"); err != nil {
		return nil, err
	}
	s := c.World.FindSecret(in.SecretId)
	const missing = "Secrets Manager can't find the specified secret"
	switch {
	case s == nil:
		return nil, refusal.New("ResourceNotFoundException", missing+".")
	case in.VersionId != "" && in.VersionId != s.Version:
		return nil, refusal.New("ResourceNotFoundException", missing+" value for VersionId: %s",
			in.VersionId)
	case in.VersionStage != "" && in.VersionStage != current:
		return nil, refusal.New("ResourceNotFoundException", missing+" value for staging label: %s",
			in.VersionStage)
	}
	return secretValueOut{ARN: c.World.SecretARN(s.Name), Name: s.Name, VersionId: s.Version,
		SecretString: s.Value, SecretBinary: s.Binary, VersionStages: []string{current},
		CreatedDate: epoch(s.Created)}, nil
}

// notForeign refuses what an ARN names in another account: no policy of it lets the caller in.
func (c *call) notForeign(id, action string) error {
	parts := strings.SplitN(id, ":", 6)
	if parts[0] != "arn" || len(parts) < 6 || parts[4] == c.World.Owner {
		return nil
	}
	return refusal.AccessDenied(c.Caller, action,
		"on resource: "+id+" because no resource-based policy allows the "+action+" action")
}

type getParameterIn struct {
	Name           string `query:"required"`
	WithDecryption bool
}

// split is the parameter that is asked for, and the version or the label of it, with a colon.
func (in *getParameterIn) split() (name, selector string) {
	from := strings.Count(in.Name, ":")
	if strings.HasPrefix(in.Name, "arn:") {
		from -= 5
	}
	if from < 1 {
		return in.Name, ""
	}
	at := strings.LastIndex(in.Name, ":")
	return in.Name[:at], in.Name[at:]
}

func (in *getParameterIn) resources(w *world.World) []string {
	name, _ := in.split()
	return []string{w.ParameterARN(name)}
}

type parameterOut struct {
	ARN, Name, Type, Value, DataType string

	Selector         string `json:",omitempty"`
	Version          int
	LastModifiedDate float64
}

func getParameter(c *call, in *getParameterIn) (any, error) {
	name, selector := in.split()
	if err := c.notForeign(name, "ssm:GetParameter"); err != nil {
		return nil, err
	}
	p := c.World.FindParameter(name)
	switch {
	case p == nil:
		return nil, refusal.New("ParameterNotFound", "")
	case selector != "" && selector != ":1":
		return nil, refusal.New("ParameterVersionNotFound", "Systems Manager could not find version %s "+
			"of %s. Verify the version and try again.", selector[1:], p.Name)
	}
	value := p.Value
	if p.Type == world.SecureString && !in.WithDecryption {
		// What is encrypted says nothing of the value, and is the same each time.
		sum := sha256.Sum256([]byte(p.Name + "\x00" + p.Value))
		value = base64.StdEncoding.EncodeToString(sum[:])
	}
	return struct{ Parameter parameterOut }{parameterOut{
		ARN: c.World.ParameterARN(p.Name), Name: p.Name, Type: p.Type, Value: value,
		DataType: "text", Selector: selector, Version: 1, LastModifiedDate: epoch(p.Modified)}}, nil
}
