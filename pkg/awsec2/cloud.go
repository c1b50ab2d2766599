package awsec2

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"aws-provider-executor/pkg/protocol"
)

// ConnectProfile is Connect as a profile of the shared configuration says. An empty region is that
// of the environment or of the profile, and an empty profile is what the environment says.
func ConnectProfile(ctx context.Context, region, profile string, timeout time.Duration,
	log *slog.Logger) (*Connection, error) {
	return connectAs(ctx, machine(), region, profile, timeout, log)
}

// Region is the region that the connection is to; empty where nothing names one.
func (c *Connection) Region() string { return c.cfg.Region }

// ReadOnce has a client of EC2 describe and nothing else, refuse what is not one whole answer, and
// send each call once: who calls decides on another attempt.
func ReadOnce(o *ec2.Options) {
	o.Retryer = aws.NopRetryer{}
	o.APIOptions = append(o.APIOptions, addAnswerCheck, addDescribeOnly)
}

// CheckAnswers has a client of another service with EC2's form of answers refuse what is not one
// whole answer.
func CheckAnswers() func(*middleware.Stack) error { return addAnswerCheck }

// ClassOf classifies any error of an AWS client.
func ClassOf(err error) protocol.FailureClass { return classOf(err) }

// CodeOf is the code that AWS gave an error; empty where none did.
func CodeOf(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() == unknownCode {
		return ""
	}
	return oneLine(api.ErrorCode())
}

// Explain says why a call to AWS failed, in one line without a secret: what AWS says, what the
// source of credentials says, or what became of the connection.
func Explain(err error) string {
	var creds *credentialsError
	var failure *protocol.Failure
	var api smithy.APIError
	switch {
	case errors.As(err, &creds):
		return oneLine(creds.because + "; " + creds.hint)
	case errors.As(err, &failure):
		return oneLine(failure.Message)
	case errors.As(err, &api) && api.ErrorCode() != unknownCode:
		return oneLine(api.ErrorCode() + ": " + withoutBlob(api.ErrorMessage()))
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time"
	}
	return transportText(err)
}
