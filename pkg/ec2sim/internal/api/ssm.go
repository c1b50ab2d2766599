package api

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// ssmOperations are SSM's: those that run commands and tell of them, and a parameter's value.
var ssmOperations = map[string]Operation{
	"DescribeDocument":            reading(describeDocument),
	"DescribeInstanceInformation": reading(describeInstanceInformation),
	"GetCommandInvocation":        reading(getCommandInvocation),
	"GetParameter":                reading(getParameter),
	"ListCommands":                reading(listCommands),

	"SendCommand": changing(sendCommand),
}

// ssmCodes are SSM's words for what EC2 words otherwise.
var ssmCodes = map[string]refusal.Error{
	"RequestLimitExceeded":  {Code: "ThrottlingException", Message: "Rate exceeded"},
	"UnauthorizedOperation": {Code: "AccessDeniedException"},
	"AccessDenied":          {Code: "AccessDeniedException"},
	"AuthFailure": {Code: "UnrecognizedClientException",
		Message: "The security token included in the request is invalid."},
	"RequestExpired": {Code: "ExpiredTokenException",
		Message: "The security token included in the request is expired"},
	"InternalError": {Code: "InternalServerError",
		Message: "An error occurred on the server side.", Status: http.StatusInternalServerError},
	"InvalidParameterValue": {Code: "ValidationException"},
	"MissingParameter":      {Code: "ValidationException"},
	"UnknownParameter":      {Code: "ValidationException"},
}

// ssmWords is a refusal as SSM words it.
func ssmWords(e refusal.Error) refusal.Error { return inWords(ssmCodes, e) }

// inWords is a refusal by a service's codes in place of EC2's.
func inWords(codes map[string]refusal.Error, e refusal.Error) refusal.Error {
	words, other := codes[e.Code]
	if !other {
		return e
	}
	words.Message = cmp.Or(words.Message, e.Message)
	words.Status = cmp.Or(words.Status, http.StatusBadRequest)
	return words
}

// epoch is a time as AWS JSON has it.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

type sendCommandIn struct {
	InstanceIds    []string `query:"required"`
	DocumentName   string   `query:"required"`
	Comment        string
	TimeoutSeconds *int
	Parameters     map[string][]string

	DocumentVersion, OutputS3BucketName, OutputS3KeyPrefix string

	OutputS3Region, DocumentHash, DocumentHashType, ServiceRoleArn string `query:"unheld"`

	Targets []string `query:"unheld"`
	// MaxConcurrency and MaxErrors do not matter to one instance.
	MaxConcurrency, MaxErrors string
}

func (in *sendCommandIn) resources(w *world.World) []string {
	all := slices.Clone(in.InstanceIds)
	return append(all, "arn:aws:ssm:"+w.Region+"::document/"+in.DocumentName)
}

type commandOut struct {
	CommandId, DocumentName, DocumentVersion, Comment, Status, StatusDetails string

	InstanceIds                       []string
	Parameters                        map[string][]string `json:",omitempty"`
	RequestedDateTime                 float64
	TimeoutSeconds                    int
	OutputS3BucketName                string `json:",omitempty"`
	OutputS3KeyPrefix                 string `json:",omitempty"`
	TargetCount, CompletedCount       int
	ErrorCount, DeliveryTimedOutCount int
	MaxConcurrency, MaxErrors         string
}

// showCommand is a command with its state. All of a command to one instance is as its invocation.
func showCommand(c *world.Command, now world.CommandEnd) commandOut {
	return commandOut{
		CommandId: c.ID, DocumentName: c.Document, DocumentVersion: c.Version, Comment: c.Comment,
		Status: now.Status, StatusDetails: now.Details, InstanceIds: []string{c.InstanceID},
		Parameters: c.Parameters, RequestedDateTime: epoch(c.Requested),
		TimeoutSeconds: c.TimeoutSeconds, OutputS3BucketName: c.Bucket, OutputS3KeyPrefix: c.Prefix,
		TargetCount: 1, MaxConcurrency: "50", MaxErrors: "0",
	}
}

// maxCommentLength is what SSM takes of a comment.
const maxCommentLength = 100

func sendCommand(c *call, in *sendCommandIn) (any, error) {
	timeout := 3600
	if in.TimeoutSeconds != nil {
		timeout = *in.TimeoutSeconds
	}
	switch {
	case len(in.InstanceIds) > 1:
		return nil, refusal.New("ValidationException",
			"ec2sim holds commands to one instance, and %d are named", len(in.InstanceIds))
	case timeout < 30 || timeout > 2592000:
		return nil, refusal.New("ValidationException", "1 validation error detected: Value '%d' at "+
			"'timeoutSeconds' failed to satisfy constraint: Member must be between 30 and 2592000", timeout)
	case len(in.Comment) > maxCommentLength:
		return nil, refusal.New("ValidationException", "1 validation error detected: Value at 'comment' "+
			"failed to satisfy constraint: Member must have length less than or equal to 100")
	}
	sent, err := c.SendCommand(world.Command{
		InstanceID: in.InstanceIds[0], Document: in.DocumentName, Version: in.DocumentVersion,
		Comment: in.Comment, Parameters: in.Parameters, TimeoutSeconds: timeout,
		Bucket: in.OutputS3BucketName, Prefix: in.OutputS3KeyPrefix,
	})
	if err != nil {
		return nil, err
	}
	pending := world.CommandEnd{Status: "Pending", Details: "Pending"}
	return struct{ Command commandOut }{showCommand(sent, pending)}, nil
}

type commandFilter struct {
	Key   string `wire:"key"`
	Value string `wire:"value"`
}

type listCommandsIn struct {
	CommandId, InstanceId, NextToken string
	MaxResults                       *int
	Filters                          []commandFilter
}

type listCommandsOut struct {
	Commands  []commandOut
	NextToken string `json:",omitempty"`
}

func listCommands(c *call, in *listCommandsIn) (any, error) {
	found, err := c.findCommands(in)
	if err != nil {
		return nil, err
	}
	from, size, err := in.page(len(found))
	if err != nil {
		return nil, err
	}
	out := listCommandsOut{Commands: []commandOut{}}
	end := min(from+size, len(found))
	for _, command := range found[from:end] {
		out.Commands = append(out.Commands, showCommand(command, c.World.CommandNow(command)))
	}
	if end < len(found) {
		out.NextToken = strconv.Itoa(end)
	}
	return out, nil
}

// findCommands are the commands that are asked for, the newest first.
func (c *call) findCommands(in *listCommandsIn) (found []*world.Command, err error) {
	for command := range c.World.Commands.Each() {
		if in.CommandId != "" && in.CommandId != command.ID ||
			in.InstanceId != "" && in.InstanceId != command.InstanceID {
			continue
		}
		keep, err := keepCommand(command, in.Filters)
		if err != nil {
			return nil, err
		}
		if keep {
			found = append(found, command)
		}
	}
	if in.CommandId != "" && len(found) == 0 {
		return nil, refusal.New("InvalidCommandId", "")
	}
	slices.SortStableFunc(found, func(a, b *world.Command) int {
		return b.Requested.Compare(a.Requested)
	})
	return found, nil
}

// page is where the page begins that is asked for, and how long it is.
func (in *listCommandsIn) page(all int) (from, size int, err error) {
	size = 50
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	if in.NextToken != "" {
		from, err = strconv.Atoi(in.NextToken)
	}
	switch {
	case err != nil || from < 0 || from > all:
		return 0, 0, refusal.New("InvalidNextToken", "The specified token is not valid.")
	case size < 1 || size > 50:
		return 0, 0, refusal.New("ValidationException", "1 validation error detected: Value '%d' at "+
			"'maxResults' failed to satisfy constraint: Member must be between 1 and 50", size)
	}
	return from, size, nil
}

func keepCommand(command *world.Command, filters []commandFilter) (bool, error) {
	for _, f := range filters {
		keep := true
		switch f.Key {
		case "DocumentName":
			keep = command.Document == f.Value
		case "InvokedAfter", "InvokedBefore":
			at, err := time.Parse(time.RFC3339, f.Value)
			if err != nil {
				return false, refusal.New("InvalidFilterKey", "The filter's value %s is no time.", f.Value)
			}
			keep = command.Requested.Before(at) == (f.Key == "InvokedBefore")
		default:
			return false, refusal.New("InvalidFilterKey", "ec2sim does not hold the filter %s.", f.Key)
		}
		if !keep {
			return false, nil
		}
	}
	return true, nil
}

type getCommandInvocationIn struct {
	CommandId  string `query:"required"`
	InstanceId string `query:"required"`
	PluginName string
}

type invocationOut struct {
	CommandId, InstanceId, Comment, DocumentName, DocumentVersion, PluginName string

	ResponseCode                                int
	Status, StatusDetails                       string
	StandardOutputContent, StandardErrorContent string
	StandardOutputUrl, StandardErrorUrl         string
	ExecutionStartDateTime                      string
}

// plugin is the step that the script documents have.
const plugin = "aws:runShellScript"

// shown are how many characters SSM shows of what a command writes.
const shownOutput, shownErrors = 24000, 8000

const truncated = "\n---Output truncated---"

func getCommandInvocation(c *call, in *getCommandInvocationIn) (any, error) {
	command := c.World.Commands[in.CommandId]
	if command == nil || command.InstanceID != in.InstanceId {
		return nil, refusal.New("InvocationDoesNotExist", "")
	}
	if in.PluginName != "" && in.PluginName != plugin {
		return nil, refusal.New("InvalidPluginName", "")
	}
	now := c.World.CommandNow(command)
	out := invocationOut{
		CommandId: command.ID, InstanceId: command.InstanceID, Comment: command.Comment,
		DocumentName: command.Document, DocumentVersion: command.Version, PluginName: plugin,
		ResponseCode: now.ResponseCode, Status: now.Status, StatusDetails: now.Details,
		StandardOutputContent:  cut(now.Output, shownOutput),
		StandardErrorContent:   cut(now.Error, shownErrors),
		ExecutionStartDateTime: command.Requested.Format(time.RFC3339),
	}
	if command.Bucket != "" && now.Status != "InProgress" {
		base := "https://s3." + c.World.Region + ".amazonaws.com/" + command.Bucket + "/" +
			strings.TrimSuffix(command.Prefix, "/")
		base = strings.TrimSuffix(base, "/") + "/" + command.ID + "/" + command.InstanceID +
			"/awsrunShellScript/0.awsrunShellScript/"
		out.StandardOutputUrl, out.StandardErrorUrl = base+"stdout", base+"stderr"
	}
	return out, nil
}

func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-len(truncated)]) + truncated
	}
	return text
}

type informationFilter struct {
	Key    string   `query:"required"`
	Values []string `query:"required"`
}

type describeInstanceInformationIn struct {
	Filters    []informationFilter
	MaxResults *int
	NextToken  string

	InstanceInformationFilterList []string `query:"unheld"`
}

type instanceInformation struct {
	InstanceId, PingStatus, AgentVersion, PlatformType, ResourceType string

	LastPingDateTime float64
}

func describeInstanceInformation(c *call, in *describeInstanceInformationIn) (any, error) {
	out := struct{ InstanceInformationList []instanceInformation }{[]instanceInformation{}}
	for _, f := range in.Filters {
		if f.Key != "InstanceIds" {
			return nil, refusal.New("InvalidFilterKey", "ec2sim does not hold the filter %s.", f.Key)
		}
	}
	for i := range c.World.Instances.Each() {
		left := slices.ContainsFunc(in.Filters, func(f informationFilter) bool {
			return !slices.Contains(f.Values, i.ID)
		})
		if left || i.Agent == nil || i.State == "terminated" {
			continue
		}
		ping := i.Agent.Ping
		if i.State != "running" && ping == "Online" {
			ping = "ConnectionLost"
		}
		out.InstanceInformationList = append(out.InstanceInformationList, instanceInformation{
			InstanceId: i.ID, PingStatus: ping, AgentVersion: "3.3.859.0",
			PlatformType: cmp.Or(i.Agent.Platform, "Linux"), ResourceType: "EC2Instance",
			LastPingDateTime: epoch(c.Now),
		})
	}
	return out, nil
}

type describeDocumentIn struct {
	Name            string `query:"required"`
	DocumentVersion string
	VersionName     string `query:"unheld"`
}

type documentParameterOut struct {
	Name, Type   string
	DefaultValue *string `json:",omitempty"`
}

type documentOut struct {
	Name, Owner, DocumentType, DocumentVersion, Status string

	PlatformTypes []string
	Parameters    []documentParameterOut
}

// describeDocument knows one version of each document.
func describeDocument(_ *call, in *describeDocumentIn) (any, error) {
	d, known := world.Documents[in.Name]
	if !known {
		return nil, refusal.New("InvalidDocument", "Document with name %s does not exist.", in.Name)
	}
	if !slices.Contains([]string{"", "1", "$DEFAULT", "$LATEST"}, in.DocumentVersion) {
		return nil, refusal.New("InvalidDocumentVersion", "")
	}
	out := documentOut{Name: d.Name, Owner: "Amazon", DocumentType: d.Type, DocumentVersion: "1",
		Status: "Active", PlatformTypes: []string{"Linux", "MacOS"}}
	for _, p := range d.Parameters {
		out.Parameters = append(out.Parameters, documentParameterOut{p.Name, p.Type, p.Default})
	}
	return struct{ Document documentOut }{out}, nil
}
