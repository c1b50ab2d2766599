package ec2model

import "time"

// Command is a command of SSM, as a list of commands shows it.
type Command struct {
	ID, Document, Version, Comment string
	// Status is SSM's word for all of the command.
	Status     string
	Parameters map[string][]string
	// Requested is when SSM took the command.
	Requested time.Time
}

// CommandQuery says which commands to list: those to one instance, and what else is not empty.
type CommandQuery struct {
	Instance, ID string
	// Since leaves out what was requested before, by this machine's clock.
	Since time.Time
}

// CommandOrder is what SSM is to run, and where.
type CommandOrder struct {
	Instance, Document, Version, Comment string
	Parameters                           map[string][]string
	// DeliveryTimeout is how many seconds the command may wait for its start.
	DeliveryTimeout int
	// Bucket and Prefix are where SSM writes the whole output; empty for nowhere.
	Bucket, Prefix string
}

// Invocation is what became of a command on one instance.
type Invocation struct {
	// Steps is set where the document has several steps, and the one that was asked about is none of
	// them. Nothing else is known then.
	Steps bool
	// Status is SSM's word, Details the finer one.
	Status, Details string
	// ResponseCode is the exit code; -1 where there is none.
	ResponseCode int
	// Output and Error are the beginnings of what was written, as far as SSM keeps it.
	Output, Error string
	// OutputURL and ErrorURL are where all of it lies, if anywhere.
	OutputURL, ErrorURL string
}

// ManagedInstance is an instance as SSM knows it.
type ManagedInstance struct {
	ID string
	// Ping is Online, ConnectionLost or Inactive.
	Ping         string
	LastPing     time.Time
	Platform     string
	AgentVersion string
}

// Document is a document of SSM.
type Document struct {
	Name string
	// Type is Command for one that is run on instances, and Status is Active for one that is usable.
	Type, Status string
	Platforms    []string
	Parameters   []DocumentParameter
}

// DocumentParameter is what a document takes. It is required if it has no default.
type DocumentParameter struct {
	Name string
	// List reports whether it takes several texts.
	List       bool
	HasDefault bool
}
