package main

import (
	"context"
	"fmt"
	"log/slog"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/awscloud"
	"aws-provider-executor/pkg/nodes/azurecloud"
	"aws-provider-executor/pkg/nodes/events"
	"aws-provider-executor/pkg/nodes/scan"
)

// openCloud opens the cloud that a manager looks at.
func openCloud(ctx context.Context, m nodes.Manager, log *slog.Logger) (scan.Cloud, error) {
	switch m.Type {
	case nodes.ManagerEC2, nodes.ManagerAWS:
		return awscloud.Open(ctx, m, awscloud.Options{Log: log})
	case nodes.ManagerVM, nodes.ManagerAzure:
		return azurecloud.Open(m, azurecloud.Options{Log: log})
	}
	return nil, &scan.Failure{Verdict: nodes.Disabled,
		Reason: fmt.Sprintf("nobody looks at managers of the type %s", m.Type)}
}

// openQueue opens a queue of changes of state.
func openQueue(ctx context.Context, url string, log *slog.Logger) (events.Queue, error) {
	return awscloud.OpenQueue(ctx, url, log)
}
