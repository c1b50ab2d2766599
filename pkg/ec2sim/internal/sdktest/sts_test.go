package sdktest

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"aws-provider-executor/pkg/ec2sim"
)

// stsClient makes a client of STS of nothing but the server's environment, and a credential.
func stsClient(t *testing.T, srv *ec2sim.Server, k ec2sim.Credential) *sts.Client {
	t.Helper()
	client(t, srv.Env())
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithCredentialsProvider(
		credentials.NewStaticCredentialsProvider(k.AccessKeyID, k.SecretAccessKey, k.SessionToken)))
	if err != nil {
		t.Fatal(err)
	}
	return sts.NewFromConfig(cfg, func(o *sts.Options) { o.Retryer = aws.NopRetryer{} })
}

func TestSDKAsksWhoItIs(t *testing.T) {
	s, srv := start(t, ec2sim.ServerOptions{})
	for _, tt := range []struct {
		name, arn, kind string
		key             ec2sim.Credential
	}{
		{"a user", ec2sim.LabCredential.ARN, "AIDA", ec2sim.LabCredential},
		{"a role's session", ec2sim.LabRoleCredential.ARN, "AROA", ec2sim.LabRoleCredential},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := stsClient(t, srv, tt.key).GetCallerIdentity(t.Context(),
				&sts.GetCallerIdentityInput{})
			if err != nil {
				t.Fatal(err)
			}
			if aws.ToString(out.Arn) != tt.arn || aws.ToString(out.Account) != ec2sim.DefaultOwner ||
				aws.ToString(out.UserId)[:4] != tt.kind {
				t.Errorf("it is %s of %s (%s)", *out.Arn, *out.Account, *out.UserId)
			}
		})
	}
	if calls := s.Calls(); calls[0].Operation != "GetCallerIdentity" || calls[0].Change {
		t.Errorf("the log has %+v", calls[0])
	}
}

// IAM has no say about who one is.
func TestCallerIdentityNeedsNoPermission(t *testing.T) {
	s, srv := start(t, ec2sim.ServerOptions{})
	err := s.SetPolicies(ec2sim.LabCredential.AccessKeyID, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Deny","Action":"*","Resource":"*"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = stsClient(t, srv, ec2sim.LabCredential).GetCallerIdentity(t.Context(),
		&sts.GetCallerIdentityInput{})
	if err != nil {
		t.Error(err)
	}
}

func TestSTSRefuses(t *testing.T) {
	unknown := ec2sim.LabCredential
	unknown.AccessKeyID = "AKIANOBODY0000000000"
	for _, tt := range []struct {
		name, code string
		status     int
		key        ec2sim.Credential
		fault      ec2sim.Fault
	}{
		{name: "an unknown key", code: "InvalidClientTokenId", status: http.StatusForbidden,
			key: unknown},
		{name: "throttled", code: "Throttling", status: http.StatusBadRequest,
			key:   ec2sim.LabCredential,
			fault: ec2sim.Fail("GetCallerIdentity", "Throttling")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, srv := start(t, ec2sim.ServerOptions{})
			if tt.fault.Error != nil {
				if err := s.Inject(tt.fault); err != nil {
					t.Fatal(err)
				}
			}
			_, err := stsClient(t, srv, tt.key).GetCallerIdentity(t.Context(),
				&sts.GetCallerIdentityInput{})
			var api smithy.APIError
			var response *awshttp.ResponseError
			if !errors.As(err, &api) || api.ErrorCode() != tt.code ||
				!errors.As(err, &response) || response.HTTPStatusCode() != tt.status ||
				response.ServiceRequestID() == "" {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A client that goes by the server's clock finds it in each answer.
func TestAnswersAreDated(t *testing.T) {
	ahead := time.Now().Add(10 * time.Minute).UTC().Truncate(time.Second)
	s := ec2sim.New(ec2sim.Lab(), ec2sim.WithClock(func() time.Time { return ahead }))
	srv, err := ec2sim.Start(s, ec2sim.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	_, err = stsClient(t, srv, ec2sim.Credential{AccessKeyID: "AKIA", SecretAccessKey: "x"}).
		GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	var response *awshttp.ResponseError
	if !errors.As(err, &response) {
		t.Fatalf("got %v", err)
	}
	if got := response.Response.Header.Get("Date"); got != ahead.Format(http.TimeFormat) {
		t.Errorf("the answer is of %s, want %s", got, ahead.Format(http.TimeFormat))
	}
}

// The SDK's own provider of a role's credentials gets some, and uses them.
func TestSDKAssumesARole(t *testing.T) {
	s, srv := start(t, ec2sim.ServerOptions{})
	const account = "222233334444"
	s.Account(account).AddRole(ec2sim.AccountRole{Name: "reader", ExternalID: "word"})
	role := stscreds.NewAssumeRoleProvider(stsClient(t, srv, ec2sim.LabCredential),
		"arn:aws:iam::"+account+":role/reader",
		func(o *stscreds.AssumeRoleOptions) { o.ExternalID = aws.String("word") })
	got, err := role.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !got.CanExpire || time.Until(got.Expires) < 14*time.Minute {
		t.Errorf("they expire at %s", got.Expires)
	}
	who, err := stsClient(t, srv, ec2sim.Credential{AccessKeyID: got.AccessKeyID,
		SecretAccessKey: got.SecretAccessKey, SessionToken: got.SessionToken}).
		GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || aws.ToString(who.Account) != account {
		t.Errorf("it is %+v, %v", who, err)
	}
}
