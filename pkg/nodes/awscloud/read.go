package awscloud

import (
	"context"
	"log/slog"
	"time"

	"aws-provider-executor/pkg/nodes"
)

// secretTime is how long the reading of a secret may take.
const secretTime = 20 * time.Second

// ReadSecret reads what a reference leads to, with the identity that the program has. The error has
// nothing of it.
func ReadSecret(ctx context.Context, ref nodes.SecretRef, log *slog.Logger) (string, error) {
	c, err := Open(ctx, nodes.Manager{Type: nodes.ManagerEC2,
		Access: nodes.Access{Kind: nodes.AccessAmbient}}, Options{Log: log, Timeout: secretTime})
	if err != nil {
		return "", err
	}
	limited, cancel := context.WithTimeout(ctx, secretTime)
	defer cancel()
	return NewSecrets(c.cfg).Resolve(limited, ref)
}
