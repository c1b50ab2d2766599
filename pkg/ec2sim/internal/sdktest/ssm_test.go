package sdktest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

const shellScript = "AWS-RunShellScript"

// office is a client of SSM at the lab.
type office struct {
	*testing.T
	*ssm.Client
	sim *ec2sim.Sim
}

func newOffice(t *testing.T, ends ...ec2sim.CommandEnd) *office {
	t.Helper()
	sim, srv := start(t, ec2sim.ServerOptions{})
	sim.Region(ec2sim.LabRegion).EditInstance(ec2sim.LabRouterA, func(i *ec2sim.Instance) {
		i.Agent = &ec2sim.Agent{Ping: "Online", Ends: ends}
	})
	client(t, srv.Env())
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	once := func(o *ssm.Options) { o.Retryer = aws.NopRetryer{} }
	return &office{t, ssm.NewFromConfig(cfg, once), sim}
}

// send sends a command, and returns its id or the code of the refusal.
func (o *office) send(edit func(*ssm.SendCommandInput)) (id, code string) {
	o.Helper()
	in := &ssm.SendCommandInput{
		InstanceIds: []string{ec2sim.LabRouterA}, DocumentName: aws.String(shellScript),
		Comment: aws.String("key:k"), Parameters: map[string][]string{"commands": {"uptime", "date"}},
	}
	if edit != nil {
		edit(in)
	}
	out, err := o.SendCommand(o.Context(), in)
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return "", refused.ErrorCode()
	}
	if err != nil {
		o.Fatal(err)
	}
	return *out.Command.CommandId, ""
}

func (o *office) invocation(id string) *ssm.GetCommandInvocationOutput {
	o.Helper()
	out, err := o.GetCommandInvocation(o.Context(), &ssm.GetCommandInvocationInput{
		CommandId: &id, InstanceId: aws.String(ec2sim.LabRouterA)})
	if err != nil {
		o.Fatal(err)
	}
	return out
}

// TestSDKRunsACommand: it is in progress for as many readings as it is told, and then over.
func TestSDKRunsACommand(t *testing.T) {
	o := newOffice(t, ec2sim.CommandEnd{Status: "Failed", ResponseCode: 3, Reads: 1,
		Output: strings.Repeat("x", 30000), Error: "no such file\n"})
	id, _ := o.send(func(in *ssm.SendCommandInput) { in.OutputS3BucketName = aws.String("out") })
	if got := o.invocation(id); got.Status != types.CommandInvocationStatusInProgress ||
		got.ResponseCode != -1 {
		t.Errorf("at first it is %s, %d", got.Status, got.ResponseCode)
	}
	got := o.invocation(id)
	if got.Status != types.CommandInvocationStatusFailed || got.ResponseCode != 3 ||
		*got.StandardErrorContent != "no such file\n" || len(*got.StandardOutputContent) != 24000 {
		t.Errorf("%s %d %q", got.Status, got.ResponseCode, *got.StandardErrorContent)
	}
	if !strings.HasSuffix(*got.StandardOutputContent, "---Output truncated---") ||
		!strings.Contains(*got.StandardOutputUrl, "/out/"+id+"/"+ec2sim.LabRouterA+"/") {
		t.Errorf("%q", *got.StandardOutputUrl)
	}
	calls := o.sim.Calls()
	if first := calls[0]; first.Operation != "SendCommand" || !first.Change || !first.Effect ||
		first.Params["Comment"] != "key:k" || calls[1].Change {
		t.Errorf("the log has %+v", calls)
	}
}

// TestSDKListsCommands: by instance, document and time, with what was asked for.
func TestSDKListsCommands(t *testing.T) {
	o := newOffice(t)
	o.send(nil)
	for _, tt := range []struct {
		name, document string
		after          time.Duration
		want           int
	}{
		{"all that fits", shellScript, -time.Minute, 1},
		{"another document", "AWS-RunPowerShellScript", -time.Minute, 0},
		{"a later time", shellScript, time.Minute, 0},
	} {
		list, err := o.ListCommands(t.Context(), &ssm.ListCommandsInput{
			InstanceId: aws.String(ec2sim.LabRouterA), Filters: []types.CommandFilter{
				{Key: types.CommandFilterKeyDocumentName, Value: aws.String(tt.document)},
				{Key: types.CommandFilterKeyInvokedAfter,
					Value: aws.String(time.Now().Add(tt.after).UTC().Format(time.RFC3339))}}})
		if err != nil || len(list.Commands) != tt.want {
			t.Fatalf("%s: %v: %+v", tt.name, err, list)
		}
		if tt.want == 0 {
			continue
		}
		c := list.Commands[0]
		if *c.Comment != "key:k" || c.Status != types.CommandStatusSuccess ||
			time.Since(*c.RequestedDateTime).Abs() > time.Hour {
			t.Errorf("%+v", c)
		}
		if diff := cmp.Diff(map[string][]string{"commands": {"uptime", "date"}},
			c.Parameters); diff != "" {
			t.Errorf("parameters (-want +got):\n%s", diff)
		}
	}
}

// TestSDKIsRefusedACommand: in SSM's words, and nothing is sent.
func TestSDKIsRefusedACommand(t *testing.T) {
	o := newOffice(t)
	for _, tt := range []struct {
		name, code string
		edit       func(*ssm.SendCommandInput)
	}{
		{"an unknown document", "InvalidDocument", func(in *ssm.SendCommandInput) {
			in.DocumentName = aws.String("Nobody-Knows")
		}},
		{"a document for something else", "InvalidDocument", func(in *ssm.SendCommandInput) {
			in.DocumentName = aws.String("AWS-RestartEC2Instance")
		}},
		{"no parameters", "InvalidParameters", func(in *ssm.SendCommandInput) { in.Parameters = nil }},
		{"an unknown parameter", "InvalidParameters", func(in *ssm.SendCommandInput) {
			in.Parameters["command"] = []string{"x"}
		}},
		{"an instance without an agent", "InvalidInstanceId", func(in *ssm.SendCommandInput) {
			in.InstanceIds = []string{ec2sim.LabDB}
		}},
		{"a short time-out", "ValidationException", func(in *ssm.SendCommandInput) {
			in.TimeoutSeconds = aws.Int32(5)
		}},
		{"throttled", "ThrottlingException", func(*ssm.SendCommandInput) {
			o.fault(ec2sim.Fail("SendCommand", "RequestLimitExceeded"))
		}},
		{"not allowed", "AccessDeniedException", func(*ssm.SendCommandInput) {
			o.fault(ec2sim.Fail("SendCommand", "UnauthorizedOperation"))
		}},
		{"an internal error", "InternalServerError", func(*ssm.SendCommandInput) {
			o.fault(ec2sim.Fail("SendCommand", "InternalError"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, code := o.send(tt.edit); code != tt.code {
				t.Errorf("refused with %q, want %q", code, tt.code)
			}
			if sent := o.sim.State().Regions[ec2sim.LabRegion].Commands; len(sent) > 0 {
				t.Errorf("it was sent: %+v", sent)
			}
		})
	}
}

func (o *office) fault(f ec2sim.Fault) {
	o.Helper()
	if err := o.sim.Inject(f); err != nil {
		o.Fatal(err)
	}
}

// TestSDKAsksWhatSSMKnows: its nodes and its documents.
func TestSDKAsksWhatSSMKnows(t *testing.T) {
	o := newOffice(t)
	nodes, err := o.DescribeInstanceInformation(t.Context(), &ssm.DescribeInstanceInformationInput{
		Filters: []types.InstanceInformationStringFilter{
			{Key: aws.String("InstanceIds"), Values: []string{ec2sim.LabRouterA}}}})
	if err != nil || len(nodes.InstanceInformationList) != 1 ||
		nodes.InstanceInformationList[0].PingStatus != types.PingStatusOnline {
		t.Errorf("%v: %+v", err, nodes)
	}
	d, err := o.DescribeDocument(t.Context(),
		&ssm.DescribeDocumentInput{Name: aws.String(shellScript)})
	if err != nil || d.Document.DocumentType != types.DocumentTypeCommand ||
		len(d.Document.Parameters) != 3 || d.Document.Parameters[0].DefaultValue != nil {
		t.Errorf("%v: %+v", err, d)
	}
	_, err = o.GetCommandInvocation(t.Context(), &ssm.GetCommandInvocationInput{
		CommandId:  aws.String("01234567-0123-0123-0123-0123456789ab"),
		InstanceId: aws.String(ec2sim.LabRouterA)})
	var none *types.InvocationDoesNotExist
	if !errors.As(err, &none) {
		t.Errorf("an unknown command: %v", err)
	}
}
