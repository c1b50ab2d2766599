package awsec2

import (
	"context"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// systemsManager runs commands on instances.
var systemsManager = service{
	provider: provider{"SSM", "ssm"}, wire: jsonWire{"AmazonSSM", "1.1"},
	operations: []operation{
		{"DescribeDocument", reads, "Document"},
		{"DescribeInstanceInformation", reads, "InstanceInformationList"},
		{"GetCommandInvocation", reads, "Status"},
		{"ListCommands", reads, "Commands"},
		{"SendCommand", changes, "Command"},
	},
}

// The wire of SSM: what is read and sent of it.
type (
	ssmFilter struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	listCommandsIn struct {
		CommandId  string      `json:",omitempty"`
		InstanceId string      `json:",omitempty"`
		NextToken  string      `json:",omitempty"`
		MaxResults int         `json:",omitempty"`
		Filters    []ssmFilter `json:",omitempty"`
	}
	ssmCommand struct {
		CommandId, DocumentName, DocumentVersion, Comment, Status string
		Parameters                                                map[string][]string
		RequestedDateTime                                         float64
	}
	listCommandsOut struct {
		Commands  []ssmCommand
		NextToken string
	}
	getInvocationIn struct {
		CommandId, InstanceId string
		PluginName            string `json:",omitempty"`
	}
	getInvocationOut struct {
		Status, StatusDetails                       string
		ResponseCode                                *int
		StandardOutputContent, StandardErrorContent string
		StandardOutputUrl, StandardErrorUrl         string
	}
	instanceFilter struct {
		Key    string
		Values []string
	}
	describeInstancesIn  struct{ Filters []instanceFilter }
	describeInstancesOut struct {
		InstanceInformationList []struct {
			InstanceId, PingStatus, PlatformType, AgentVersion string
			LastPingDateTime                                   float64
		}
	}
	describeDocumentIn struct {
		Name            string
		DocumentVersion string `json:",omitempty"`
	}
	describeDocumentOut struct {
		Document struct {
			Name, DocumentType, Status string
			PlatformTypes              []string
			Parameters                 []struct {
				Name, Type   string
				DefaultValue *string
			}
		}
	}
	sendCommandIn struct {
		InstanceIds        []string
		DocumentName       string
		DocumentVersion    string              `json:",omitempty"`
		Comment            string              `json:",omitempty"`
		TimeoutSeconds     int                 `json:",omitempty"`
		Parameters         map[string][]string `json:",omitempty"`
		OutputS3BucketName string              `json:",omitempty"`
		OutputS3KeyPrefix  string              `json:",omitempty"`
	}
	sendCommandOut struct{ Command struct{ CommandId string } }
)

// at is a time as AWS JSON has it.
func at(epoch float64) time.Time { return time.UnixMilli(int64(epoch * 1000)) }

const (
	// commandsPage is how many commands SSM lists at once, and maxCommandPages how many lists are
	// read.
	commandsPage    = 50
	maxCommandPages = 40
)

// ListCommands lists commands to an instance, and reports whether those are all.
func (r *Reader) ListCommands(
	ctx context.Context, q ec2model.CommandQuery,
) (commands []ec2model.Command, complete bool, err error) {
	in := &listCommandsIn{CommandId: q.ID, InstanceId: q.Instance, MaxResults: commandsPage}
	clock := r.since(in, q.Since)
	for range maxCommandPages {
		var page listCommandsOut
		err := systemsManager.call(ctx, r.of.serviceReader, "ListCommands", in, &page)
		if refusalCode(err) == "InvalidCommandId" {
			return nil, true, nil
		}
		if err != nil {
			return nil, false,
				systemsManager.failed("ListCommands", "list the commands to "+q.Instance, err)
		}
		if told, _ := r.Clock(); !q.Since.IsZero() && (told.Ahead-clock).Abs() > clockMargin {
			// This answer told the clock by which SSM reads the question.
			clock, in.NextToken, commands = r.since(in, q.Since), "", nil
			continue
		}
		for _, c := range page.Commands {
			commands = append(commands, ec2model.Command{
				ID: c.CommandId, Document: c.DocumentName, Version: c.DocumentVersion,
				Comment: c.Comment, Status: c.Status, Parameters: c.Parameters,
				Requested: at(c.RequestedDateTime),
			})
		}
		if in.NextToken = page.NextToken; in.NextToken == "" {
			return commands, true, nil
		}
	}
	return commands, false, nil
}

// clockMargin is by how much SSM's clock may be off the one that a question reckons with.
const clockMargin = time.Minute

// since has only those commands listed that were requested since a time of this machine's clock. It
// returns by how much SSM's is ahead, as far as that is known.
func (r *Reader) since(in *listCommandsIn, since time.Time) (ahead time.Duration) {
	if since.IsZero() {
		return 0
	}
	clock, _ := r.Clock()
	at := since.Add(clock.Ahead).UTC().Format("2006-01-02T15:04:05Z")
	in.Filters = []ssmFilter{{"InvokedAfter", at}}
	return clock.Ahead
}

// Invocation tells what became of a command on an instance, and reports whether SSM tells it.
func (r *Reader) Invocation(
	ctx context.Context, command, instance, step string,
) (i ec2model.Invocation, found bool, err error) {
	var out getInvocationOut
	err = systemsManager.call(ctx, r.of.serviceReader, "GetCommandInvocation",
		&getInvocationIn{CommandId: command, InstanceId: instance, PluginName: step}, &out)
	switch refusalCode(err) {
	case "InvocationDoesNotExist":
		return i, false, nil
	case "InvalidPluginName":
		return ec2model.Invocation{Steps: true, ResponseCode: -1}, true, nil
	}
	if err != nil {
		return i, false, systemsManager.failed("GetCommandInvocation",
			"read what became of "+command, err)
	}
	i = ec2model.Invocation{
		Status: out.Status, Details: out.StatusDetails, ResponseCode: -1,
		Output:    r.of.own.secrets.redact(out.StandardOutputContent),
		Error:     r.of.own.secrets.redact(out.StandardErrorContent),
		OutputURL: out.StandardOutputUrl, ErrorURL: out.StandardErrorUrl,
	}
	if out.ResponseCode != nil {
		i.ResponseCode = *out.ResponseCode
	}
	return i, true, nil
}

// ManagedInstance reports whether SSM knows an instance.
func (r *Reader) ManagedInstance(
	ctx context.Context, id string,
) (i ec2model.ManagedInstance, found bool, err error) {
	var out describeInstancesOut
	err = systemsManager.call(ctx, r.of.serviceReader, "DescribeInstanceInformation",
		&describeInstancesIn{Filters: []instanceFilter{{"InstanceIds", []string{id}}}}, &out)
	if err != nil {
		return i, false,
			systemsManager.failed("DescribeInstanceInformation", "find out whether SSM reaches "+id, err)
	}
	for _, known := range out.InstanceInformationList {
		if known.InstanceId == id {
			return ec2model.ManagedInstance{
				ID: id, Ping: known.PingStatus, LastPing: at(known.LastPingDateTime),
				Platform: known.PlatformType, AgentVersion: known.AgentVersion,
			}, true, nil
		}
	}
	return i, false, nil
}

// Document reports whether there is a document of SSM.
func (r *Reader) Document(
	ctx context.Context, name, version string,
) (d ec2model.Document, found bool, err error) {
	var out describeDocumentOut
	err = systemsManager.call(ctx, r.of.serviceReader, "DescribeDocument",
		&describeDocumentIn{Name: name, DocumentVersion: version}, &out)
	switch refusalCode(err) {
	case "InvalidDocument", "InvalidDocumentVersion":
		return d, false, nil
	}
	if err != nil {
		return d, false, systemsManager.failed("DescribeDocument", "read the document "+name, err)
	}
	d = ec2model.Document{
		Name: out.Document.Name, Type: out.Document.DocumentType, Status: out.Document.Status,
		Platforms: out.Document.PlatformTypes,
	}
	for _, p := range out.Document.Parameters {
		d.Parameters = append(d.Parameters, ec2model.DocumentParameter{
			Name: p.Name, List: p.Type == "StringList", HasDefault: p.DefaultValue != nil,
		})
	}
	return d, true, nil
}

// SendCommand has SSM take a command, and returns the command's id. It does not wait.
func (w *Writer) SendCommand(ctx context.Context, order ec2model.CommandOrder) (string, error) {
	var out sendCommandOut
	err := systemsManager.call(ctx, w.of.serviceWriter, "SendCommand", &sendCommandIn{
		InstanceIds: []string{order.Instance}, DocumentName: order.Document,
		DocumentVersion: order.Version, Comment: order.Comment,
		TimeoutSeconds: order.DeliveryTimeout, Parameters: order.Parameters,
		OutputS3BucketName: order.Bucket, OutputS3KeyPrefix: order.Prefix,
	}, &out)
	if err != nil {
		return "", systemsManager.changed("SendCommand",
			"send "+order.Document+" to "+order.Instance, err)
	}
	return out.Command.CommandId, nil
}
